// Koa 3 by FastCGI, as it is: postfork serve examples/frameworks/koa.ts, or scripts/demo koa.

import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import Koa from 'koa';

const app = new Koa();

app.use(async (context) => {
  switch (context.path) {
    case '/':
      context.body = `Hello from Koa, ${context.ip}.\n`;
      break;
    case '/echo':
      context.type = context.request.type;
      context.body = context.req;
      break;
    case '/stream':
      context.type = 'text/plain';
      context.body = Readable.from(pieces());
      break;
    case '/error':
      throw new Error('an error on purpose');
  }
});

async function* pieces(): AsyncGenerator<string> {
  for (const number of [1, 2, 3]) {
    await delay(50);
    yield `piece ${number}\n`;
  }
}

export default app;
