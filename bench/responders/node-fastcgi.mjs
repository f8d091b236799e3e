// node-fastcgi, used as its README shows: a near drop-in replacement of Node's http module.

import fastcgi from 'node-fastcgi';
import { bodyBytes, ready, socketPath } from './answer.mjs';

function answer(response) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': bodyBytes.length });
  response.end(bodyBytes);
}

const server = fastcgi.createServer((request, response) => {
  if (request.method === 'POST') request.on('data', () => {}).on('end', () => answer(response));
  else answer(response);
});
server.on('clientError', (_error, socket) => socket.destroy());

server.listen(socketPath, ready);
