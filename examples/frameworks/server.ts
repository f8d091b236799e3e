// A program that knows nothing of FastCGI: postfork run examples/frameworks/server.ts, or scripts/demo server.

import { createServer } from 'node:http';
import { pipeline } from 'node:stream';

const server = createServer((request, response) => {
  switch (request.url) {
    case '/':
      response.end(`Hello from node:http, ${request.socket.remoteAddress ?? 'somebody'}.\n`);
      break;
    case '/echo':
      response.setHeader('Content-Type', request.headers['content-type'] ?? 'application/octet-stream');
      pipeline(request, response, () => {});
      break;
    case '/stream':
      for (const number of [1, 2, 3]) setTimeout(() => response.write(`piece ${number}\n`), 50 * number);
      setTimeout(() => response.end(), 200);
      break;
    default:
      response.writeHead(404).end('there is nothing here\n');
  }
});

server.listen(8080);
