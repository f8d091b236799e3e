// Fastify 5 by FastCGI, as it is: postfork serve examples/frameworks/fastify.ts, or scripts/demo fastify.

import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import Fastify from 'fastify';

const app = Fastify();

app.get('/', async (request) => `Hello from Fastify, ${request.ip}.\n`);
app.post('/echo', async (request) => request.body);
app.get('/stream', async (_request, reply) => reply.type('text/plain').send(Readable.from(pieces())));
app.get('/error', async () => {
  throw new Error('an error on purpose');
});

async function* pieces(): AsyncGenerator<string> {
  for (const number of [1, 2, 3]) {
    await delay(50);
    yield `piece ${number}\n`;
  }
}

export default app;
