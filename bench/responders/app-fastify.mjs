// A Fastify application, for bench/frameworks.ts.

import Fastify from 'fastify';

const body = 'x'.repeat(Number(process.env.ANSWER_BYTES ?? 100));
const app = Fastify();

app.get('/', async () => body);
app.post('/', async (request, reply) => {
  if (request.body.text === undefined) reply.status(400);
  return body;
});

export default app;
