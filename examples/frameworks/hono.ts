// Hono 4 by FastCGI, as it is: postfork serve examples/frameworks/hono.ts, or scripts/demo hono.

import { Hono } from 'hono';
import { streamText } from 'hono/streaming';

const app = new Hono();

app.get('/', (context) => context.text(`Hello from Hono at ${new URL(context.req.url).host}.\n`));
app.post('/echo', async (context) => context.json(await context.req.json()));
app.get('/stream', (context) =>
  streamText(context, async (stream) => {
    for (const number of [1, 2, 3]) {
      await stream.sleep(50);
      await stream.writeln(`piece ${number}`);
    }
  }),
);
app.get('/error', () => {
  throw new Error('an error on purpose');
});

export default app;
