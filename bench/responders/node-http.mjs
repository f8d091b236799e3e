// Node's own http server: what the same application costs behind a web server's proxy_pass.

import { createServer } from 'node:http';
import { bodyBytes, ready, socketPath } from './answer.mjs';

function answer(response) {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': bodyBytes.length });
  response.end(bodyBytes);
}

const server = createServer((request, response) => {
  if (request.method === 'POST') request.on('data', () => {}).on('end', () => answer(response));
  else answer(response);
});

server.listen(socketPath, ready);
