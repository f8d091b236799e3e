// connect 3 by FastCGI, as it is: postfork serve examples/frameworks/connect.ts, or scripts/demo connect.

import connect from 'connect';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream';

const app = connect();

app.use('/echo', (request: IncomingMessage, response) => {
  response.setHeader('Content-Type', request.headers['content-type'] ?? 'application/octet-stream');
  pipeline(request, response, () => {});
});
app.use('/stream', (_request, response) => {
  response.setHeader('Content-Type', 'text/plain');
  for (const number of [1, 2, 3]) setTimeout(() => response.write(`piece ${number}\n`), 50 * number);
  setTimeout(() => response.end(), 200);
});
app.use('/error', () => {
  throw new Error('an error on purpose');
});
app.use((request: IncomingMessage, response) => {
  response.end(`Hello from connect, ${request.socket.remoteAddress ?? 'somebody'}.\n`);
});

export default app;
