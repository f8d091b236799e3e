// requestId(): a name for each request.

import { Application, HttpResponse, requestId, type InjectedRequest } from '../../../lib/app/index.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function app(options?: Parameters<typeof requestId>[0]): Application {
  return new Application()
    .use(requestId(options))
    .get('/', (request) => String(request.state['requestId']))
    .get('/async', async (request) => Promise.resolve(String(request.state['requestId'])))
    .get('/own', () => HttpResponse.text('', { headers: { 'X-Request-Id': 'own' } }))
    .get('/fails', () => Promise.reject(new Error('boom')));
}

test.each(['/', '/async'])('%s: a UUID is in request.state and in the answer', async (target) => {
  const response = await app().inject(target);
  expect(response.text()).toMatch(UUID);
  expect(response.header('X-Request-Id')).toBe(response.text());
});

test('each request has another', async () => {
  const one = app();
  const ids = await Promise.all(Array.from({ length: 20 }, async () => (await one.inject('/')).text()));
  expect(new Set(ids).size).toBe(20);
});

test('errors have it too', async () => {
  const response = await app().inject('/fails');
  expect([response.status, response.header('X-Request-Id')]).toEqual([500, expect.stringMatching(UUID)]);
});

test('what a handler has set stays', async () => {
  expect((await app().inject('/own')).headers.filter(([name]) => name === 'X-Request-Id')).toEqual([
    ['X-Request-Id', 'own'],
  ]);
});

test('the header may have another name', async () => {
  const response = await app({ header: 'X-Correlation-Id' }).inject('/');
  expect(response.header('X-Correlation-Id')).toBe(response.text());
});

describe("the request's own id", () => {
  const asked = (id: string): InjectedRequest => ({ headers: { 'X-Request-Id': id } });

  test('is not heeded by default', async () => {
    expect((await app().inject(asked('given'))).text()).toMatch(UUID);
  });

  test.each(['given', '7f3a~b.c_d', 'a'.repeat(128), 'Root=1-67891233-abcdef012345678912345678'])(
    'is heeded if it is trusted: %s',
    async (id) => {
      expect((await app({ trust: true }).inject(asked(id))).header('X-Request-Id')).toBe(id);
    },
  );

  test.each(['', ' ', 'a b', 'a\r\nSet-Cookie: x', 'a\0', 'ü', '<script>', 'a'.repeat(129)])(
    'is replaced where it is none: %j',
    async (id) => {
      expect((await app({ trust: true }).inject(asked(id))).header('X-Request-Id')).toMatch(UUID);
    },
  );
});
