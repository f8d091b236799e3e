// A Postfork Application as it is used: two middleware, receivers at both request signals, a route.

import { Application, HttpResponse, serve, signals } from 'postfork';
import { body, ready, socketPath } from './answer.mjs';

let started = 0;
let finished = 0;
signals.request_started.connect(() => {
  started += 1;
});
signals.request_finished.connect(() => {
  finished += 1;
});

const app = new Application();
app.use(async (request, next) => {
  const response = await next(request);
  response.headers.set('X-A', '1');
  return response;
});
app.use(async (request, next) => {
  const response = await next(request);
  response.headers.set('X-B', '2');
  return response;
});
app.get('/', () => HttpResponse.text(body));
app.post('/', async (request) => {
  await request.bytes();
  return HttpResponse.text(body);
});

await serve(app, { listen: `unix:${socketPath}` });
ready();
process.on('exit', () => {
  if (finished > started) throw new Error(`${finished} requests finished, ${started} started`);
});
