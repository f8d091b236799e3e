// itty-router 6 by FastCGI, as it is: postfork serve examples/frameworks/itty-router.ts, or scripts/demo itty-router.

import { AutoRouter, type IRequest } from 'itty-router';

const router = AutoRouter();

router.get('/', (request: IRequest) => new Response(`Hello from itty-router at ${new URL(request.url).host}.\n`));
router.post('/echo', async (request: IRequest) => request.json());
router.get('/stream', () => {
  const encoder = new TextEncoder();
  let number = 0;
  return new Response(
    new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        controller.enqueue(encoder.encode(`piece ${++number}\n`));
        if (number === 3) controller.close();
      },
    }),
  );
});
router.get('/error', () => {
  throw new Error('an error on purpose');
});

export default router;
