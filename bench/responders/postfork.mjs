// A Postfork Application as it is used: two middleware, receivers at both request signals, a route.

import { Application, HttpResponse, serve, signals } from 'postfork';
import { body, bodyBytes, ready, socketPath } from './answer.mjs';

// Who has 1 MiB to send has it as bytes; like the other responders this one does not encode it for each answer.
const large = body.length > 64 * 1024;
const answer = () =>
  large ? new HttpResponse(bodyBytes, { headers: { 'Content-Type': 'text/plain' } }) : HttpResponse.text(body);

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
app.get('/', answer);
app.post('/', async (request) => {
  await request.bytes();
  return answer();
});

await serve(app, { listen: `unix:${socketPath}` });
ready();
