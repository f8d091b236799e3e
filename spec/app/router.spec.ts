// Routes: patterns, methods, and what is answered where there is no route.

import { Application, type HttpRequest, type InjectedResponse } from '../../lib/app/index.ts';

const ok = (): string => 'ok';

/** What a route is given. */
const params = (request: HttpRequest): object => ({ ...request.params });

/** An application with one route; gives the response for a target. */
const routed =
  (pattern: string) =>
  (target: string): Promise<InjectedResponse> =>
    new Application().get(pattern, params).inject(target);

describe('parameters', () => {
  test.each<[pattern: string, target: string, expected: object | 404]>([
    ['/users/:id', '/users/7', { id: '7' }],
    ['/users/:id', '/users/7?id=8', { id: '7' }],
    ['/users/:id', '/users/anna%20b%C3%A9', { id: 'anna b\u00e9' }],
    ['/users/:id', '/users/a%2Fb', { id: 'a/b' }],
    ['/users/:id', '/users/a%252Fb', { id: 'a%2Fb' }],
    ['/users/:id', '/users/a+b', { id: 'a+b' }],
    ['/users/:id', '/users/a;b,c=d@e:f', { id: 'a;b,c=d@e:f' }],
    ['/users/:id', '/users/%3Fa%23b', { id: '?a#b' }],
    ['/users/:id', '/users/caf\xc3\xa9', { id: 'caf\u00e9' }], // raw UTF-8 from the client
    ['/users/:id', '/users/7/', 404],
    ['/users/:id', '/users', 404],
    ['/users/:id', '/users/7/8', 404],
    ['/users/:id', '/Users/7', 404],
    ['/users/:id', `/users/${'x'.repeat(4096)}`, { id: 'x'.repeat(4096) }],
    ['/users/:id', `/users/${'x'.repeat(4097)}`, 404],
    ['/:a/:b', '/1/2', { a: '1', b: '2' }],
    ['/at/:hour(^\\d+$)', '/at/12', { hour: '12' }],
    ['/at/:hour(^\\d+$)', '/at/noon', 404],
    ['/files/*', '/files/a/b%20c.txt', { '*': 'a/b c.txt' }],
    ['/files/*', '/files/', { '*': '' }],
    ['/files/*', '/files/../secret', { '*': '../secret' }], // as it came: who serves files must look
    ['/files/*', '/files', 404],
    ['*', '/anything/at/all', { '*': '/anything/at/all' }],
    ['/caf\u00e9', '/caf%C3%A9', {}],
    ['/caf\u00e9', '/caf\xc3\xa9', {}],
    ['/admin', '/%61dmin', {}],
    ['/', '/', {}],
    ['/', '/?', {}],
    ['/x', '//x', 404],
  ])('%s for %s', async (pattern, target, expected) => {
    const response = await routed(pattern)(target);
    expect(expected === 404 ? response.status : response.json()).toEqual(expected);
  });

  test('are none on a prototype', async () => {
    const keys = ['__proto__', 'constructor', 'toString'];
    const application = new Application().get('/:id', (request) => keys.map((key) => request.params[key] ?? null));
    expect((await application.inject('/x')).json()).toEqual([null, null, null]);
  });

  test.each(['/users/%', '/users/%zz', '/users/%E9', '/users/%C3', '/users/%ff/x', '/users/\xe9'])(
    'that are not percent-encoded UTF-8 are the mistake of the client: %p',
    async (target) => {
      const application = new Application().get('/users/:id', ok).get('/users/*', ok);
      expect((await application.inject(target)).status).toBe(400);
    },
  );
});

describe('the most specific pattern wins, in any order', () => {
  const patterns = ['/users/me', '/users/:id', '/users/*', '*'];
  test.each([patterns, patterns.toReversed()])('%#', async (...order) => {
    const application = new Application();
    for (const pattern of order) application.get(pattern, () => pattern);
    const answers = ['/users/me', '/users/7', '/users/7/8', '/x'].map(async (target) =>
      (await application.inject(target)).text(),
    );
    expect(await Promise.all(answers)).toEqual(patterns);
  });
});

describe('methods', () => {
  const application = new Application()
    .get('/', (request) => `GET by ${request.method}`)
    .post('/', () => 'POST')
    .put('/put', ok)
    .patch('/patch', ok)
    .delete('/delete', ok)
    .route('propfind', '/dav', ok)
    .route('HEAD', '/head', () => 'HEAD has its own')
    .get('/head', boom)
    .route('OPTIONS', '/options', () => 'OPTIONS has its own');

  function boom(): never {
    throw new Error('boom');
  }

  test.each([
    ['GET', '/', 200, 'GET by GET'],
    ['POST', '/', 200, 'POST'],
    ['PUT', '/put', 200, 'ok'],
    ['PATCH', '/patch', 200, 'ok'],
    ['DELETE', '/delete', 200, 'ok'],
    ['PROPFIND', '/dav', 200, 'ok'],
    ['OPTIONS', '/options', 200, 'OPTIONS has its own'],
    ['HEAD', '/', 200, ''],
    ['HEAD', '/head', 200, ''],
  ])('%s %s', async (method, target, status, text) => {
    const response = await application.inject({ method, target });
    expect([response.status, response.text()]).toEqual([status, text]);
  });

  test('HEAD is answered by GET, which sees HEAD', async () => {
    const response = await application.inject({ method: 'HEAD', target: '/' });
    expect(response.header('Content-Length')).toBe(String('GET by HEAD'.length));
  });

  test.each([
    ['DELETE', '/', 'GET, HEAD, POST'],
    ['GET', '/put', 'PUT'],
    ['HEAD', '/put', 'PUT'],
    ['get', '/', 'GET, HEAD, POST'],
    ['BREW', '/', 'GET, HEAD, POST'],
    ['__proto__', '/', 'GET, HEAD, POST'],
    ['POST', '/head', 'GET, HEAD'],
  ])('%s %s is 405, with what would be allowed', async (method, target, allow) => {
    const response = await application.inject({ method, target });
    expect([response.status, response.header('Allow')]).toEqual([405, allow]);
    expect(response.text()).toBe(method === 'HEAD' ? '' : '405 Method Not Allowed\n');
  });

  test('OPTIONS is answered with what is allowed', async () => {
    const response = await application.inject({ method: 'OPTIONS', target: '/' });
    expect([response.status, response.header('Allow'), response.text()]).toEqual([204, 'GET, HEAD, POST', '']);
  });

  test.each(['GET', 'OPTIONS', 'BREW'])('%s of a path without a route is 404', async (method) => {
    const response = await application.inject({ method, target: '/nowhere' });
    expect([response.status, response.text(), response.header('Allow')]).toEqual([404, '404 Not Found\n', undefined]);
  });
});

describe('an application refuses', () => {
  test('a second handler for the same', () => {
    const application = new Application().get('/x', ok);
    expect(() => application.get('/x', ok)).toThrow(/already declared/);
  });

  test('a handler that is no function', () => {
    expect(() => new Application().get('/x', 'ok' as never)).toThrow('GET /x: a handler is a function (request)');
  });

  test('a method that HTTP does not have', () => {
    expect(() => new Application().route('BREW', '/x', ok)).toThrow(/BREW/);
  });

  test('a pattern that is none', () => {
    expect(() => new Application().get('x', ok)).toThrow(/path/);
  });
});

test('an application without routes answers 404', async () => {
  expect((await new Application().inject('/')).status).toBe(404);
});

test('fallback answers what has no route, and leaves 405 and OPTIONS', async () => {
  const application = new Application().get('/', ok).fallback((request) => `none for ${request.path}`);
  expect((await application.inject('/x')).text()).toBe('none for /x');
  expect((await application.inject({ method: 'BREW', target: '/x' })).text()).toBe('none for /x');
  expect((await application.inject({ method: 'POST', target: '/' })).status).toBe(405);
  expect((await application.inject({ method: 'OPTIONS', target: '/' })).status).toBe(204);
});
