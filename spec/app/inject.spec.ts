// inject(): a request without a socket, as a web server would send it.

import { Application, HttpResponse, type HttpRequest } from '../../lib/app/index.ts';

const echo = new Application().use(async (request) => ({
  method: request.method,
  target: request.target,
  query: [...request.query],
  host: request.host,
  address: request.remoteAddress,
  length: request.contentLength ?? null,
  headers: Object.fromEntries(request.headers),
  environ: Object.fromEntries(request.environ),
  body: await request.text(),
}));

test('a string is the target of a GET', async () => {
  const { environ, ...seen } = (await echo.inject('/x%20y?a=b?c')).json() as Record<string, object>;
  expect(seen).toEqual({
    method: 'GET',
    target: '/x%20y?a=b?c',
    query: [['a', 'b?c']],
    host: 'localhost',
    address: '127.0.0.1',
    length: 0,
    headers: { host: 'localhost' },
    body: '',
  });
  expect(environ).toMatchObject({ GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', QUERY_STRING: 'a=b?c' });
});

test('headers become variables, and only two of them without HTTP_', async () => {
  const headers = {
    'Content-Type': 'text/plain',
    'Content-Encoding': 'identity',
    'Content-Disposition': 'inline',
    'X-Name': 'value',
    Host: 'other.example',
  };
  const { environ, host } = (await echo.inject({ method: 'POST', headers, body: 'caf\u00e9' })).json() as {
    environ: object;
    host: string;
  };
  expect(host).toBe('other.example');
  expect(environ).toMatchObject({
    CONTENT_TYPE: 'text/plain',
    CONTENT_LENGTH: '5',
    HTTP_CONTENT_ENCODING: 'identity',
    HTTP_CONTENT_DISPOSITION: 'inline',
    HTTP_X_NAME: 'value',
  });
  expect(environ).not.toHaveProperty('CONTENT_ENCODING');
});

test('variables may be given, over those that were made', async () => {
  const environ = { REQUEST_METHOD: 'PUT', REMOTE_USER: 'anna' };
  const seen = (await echo.inject({ method: 'POST', environ })).json() as { method: string; environ: object };
  expect(seen.method).toBe('PUT');
  expect(seen.environ).toMatchObject(environ);
});

describe('a body', () => {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a');
    yield Buffer.from('b');
  }

  test.each<[string, string | Uint8Array | AsyncIterable<Uint8Array>, number | null, string]>([
    ['text', 'caf\u00e9', 5, 'caf\u00e9'],
    ['bytes', Buffer.from('ab'), 2, 'ab'],
    ['a stream, of unknown length', pieces(), null, 'ab'],
  ])('is %s', async (_what, body, length, text) => {
    const seen = (await echo.inject({ method: 'POST', body })).json() as object;
    expect(seen).toMatchObject({ length, body: text });
  });

  test('is bounded as on a socket', async () => {
    const application = new Application().use((request) => {
      request.maxBodyBytes = 3;
      return request.text();
    });
    expect((await application.inject({ method: 'POST', body: 'abcd' })).status).toBe(413);
    expect((await application.inject({ method: 'POST', body: pieces() })).text()).toBe('ab');
  });

  test('is read piece by piece as on a socket', async () => {
    const application = new Application().use(async ({ body }: HttpRequest) => {
      const read = [await body.read(), await body.read(), await body.read(), await body.read()];
      return JSON.stringify(read.map((piece) => piece?.toString() ?? null));
    });
    expect((await application.inject({ body: pieces() })).json()).toEqual(['a', 'b', null, null]);
  });
});

describe('a response', () => {
  test('has status, headers, body and the line for the error log', async () => {
    const application = new Application().get('/', () => {
      throw new Error('boom');
    });
    const response = await application.inject('/');
    expect([response.status, response.header('CONTENT-TYPE'), response.header('X-None')]).toEqual([
      500,
      'text/plain; charset=utf-8',
      undefined,
    ]);
    expect(response.stderr).toBe('GET /: boom');
  });

  test('has its body as bytes, text and JSON', async () => {
    const application = new Application().get('/', () => HttpResponse.json({ a: '\u00e9' }));
    const response = await application.inject('/');
    expect(response.body).toEqual(Buffer.from('{"a":"\u00e9"}'));
    expect(response.text()).toBe('{"a":"\u00e9"}');
    expect(response.json()).toEqual({ a: '\u00e9' });
  });

  test('has its cookies one by one', async () => {
    const application = new Application().get('/', () => new HttpResponse().setCookie('a', '1').setCookie('b', '2'));
    const { headers } = await application.inject('/');
    expect(headers.filter(([name]) => name === 'Set-Cookie').map(([, value]) => value)).toEqual([
      'a=1; Path=/',
      'b=2; Path=/',
    ]);
  });

  test('is missing where the request was aborted', async () => {
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(echo.inject({ signal })).rejects.toThrow('inject: the request was given no answer');
  });
});
