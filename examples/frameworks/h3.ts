// h3 2 by FastCGI, as it is: postfork serve examples/frameworks/h3.ts, or scripts/demo h3.

import { H3 } from 'h3';

const app = new H3();

app.get('/', (event) => `Hello from h3 at ${event.url.host}.\n`);
app.post('/echo', (event) => event.req.json());
app.get('/stream', () => {
  const encoder = new TextEncoder();
  let number = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.enqueue(encoder.encode(`piece ${++number}\n`));
      if (number === 3) controller.close();
    },
  });
});
app.get('/error', () => {
  throw new Error('an error on purpose');
});

export default app;
