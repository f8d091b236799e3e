// A body that a layer has read is there for who comes after it.

import { Application, type AppHandler, type Middleware } from '../../lib/app/index.ts';

/** The answer to a request with a JSON body, whose body `layer` may read before `handler` does. */
async function answer(layer: Middleware, handler: AppHandler, body = '{"a":1}'): Promise<string> {
  const app = new Application().use(layer).fallback(handler);
  const headers = { 'Content-Type': 'application/json' };
  const { status, body: text } = await app.inject({ method: 'POST', headers, body });
  return `${status} ${text.toString()}`;
}

const reads: Middleware = async (request, next) => {
  expect(await request.json()).toEqual({ a: 1 });
  return next(request);
};

async function streamed(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test.each<[string, AppHandler]>([
  ['text()', (request) => request.text()],
  ['bytes()', async (request) => (await request.bytes()).toString()],
  ['body, iterated', (request) => streamed(request.body)],
  [
    'body.read()',
    async ({ body }) =>
      Buffer.concat([(await body.read()) as Buffer, (await body.read()) ?? Buffer.alloc(0)]).toString(),
  ],
  ['body.bytes()', async ({ body }) => (await body.bytes(7)).toString()],
])('it is by %s what it was', async (_how, handler) => {
  expect(await answer(reads, handler)).toBe('200 {"a":1}');
});

test('as a stream it comes once', async () => {
  const twice: AppHandler = async (request) => `${await streamed(request.body)}, ${await streamed(request.body)}.`;
  expect(await answer(reads, twice)).toBe('200 {"a":1}, .');
});

test('a stricter bound further in holds', async () => {
  const limit: Middleware = async (request, next) => {
    await request.bytes();
    request.maxStreamBytes = 6;
    return next(request);
  };
  expect(await answer(limit, (request) => streamed(request.body))).toMatch(/^413 /);
  expect(await answer(limit, async ({ body }) => (await body.bytes(7)).toString())).toMatch(/^413 /);
  expect(await answer(reads, async ({ body }) => (await body.bytes(6)).toString())).toMatch(/^413 /);
});

test('one that could not be read whole cannot be read again', async () => {
  const tries: Middleware = async (request, next) => {
    request.maxBodyBytes = 3;
    await expect(request.bytes()).rejects.toMatchObject({ code: 'BODY_TOO_LARGE' });
    return next(request);
  };
  expect(await answer(tries, (request) => streamed(request.body))).toMatch(/^413 /);
});
