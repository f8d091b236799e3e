// An application for bench/memory.ts, which `postfork serve` runs: a handler that reads its body late and slowly, an answer of any size.

import { Application, HttpResponse } from 'postfork';
import { late, makePace, mebibytes, pieces } from './slow.mjs';

const app = new Application();

app.get('/', () => HttpResponse.text('idle'));

app.post('/slow', async (request) => {
  await late();
  const pace = makePace();
  let bytes = 0;
  for await (const piece of request.body) {
    bytes += piece.length;
    await pace(bytes);
  }
  return HttpResponse.text(String(bytes));
});

app.get('/large/:mib', (request) => {
  const total = mebibytes(request.params.mib);
  return HttpResponse.stream(pieces(total), { headers: { 'Content-Length': String(total) } });
});

export default app;
