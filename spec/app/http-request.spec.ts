// HttpRequest: what a handler sees of a request, behind any web server.

import { contentLength } from '../../lib/cgi/index.ts';
import { Application, HttpError, HttpRequest, type InjectedRequest } from '../../lib/app/index.ts';
import type { InputStream } from '../../lib/server/index.ts';
import { variablesOf, WEB_SERVERS, withPairs, type Pairs } from '../support/environs.ts';

const NO_INPUT = {} as InputStream;

/** A request with these variables, to an application at /app. */
function requestWith(pairs: Pairs, mount = '/app'): HttpRequest {
  const params = variablesOf(pairs);
  const signal = new AbortController().signal;
  const onAbort = (): void => {};
  const incoming = { id: 1, role: 1, params, stdin: NO_INPUT, data: NO_INPUT, aborted: false, signal, onAbort };
  return new HttpRequest({ ...incoming, contentLength: contentLength(params) }, mount, {});
}

const requestTo = (target: string, environ: Readonly<Record<string, string>> = {}): HttpRequest =>
  requestWith(Object.entries({ REQUEST_URI: target, ...environ }), '');

describe.each(WEB_SERVERS)('behind $name', (webServer) => {
  const request = requestWith(webServer.get);

  test('everything is as the client meant it', () => {
    expect({
      method: request.method,
      target: request.target,
      path: request.path,
      mount: request.mount,
      outside: request.outside,
      query: [...request.query],
      scheme: request.scheme,
      address: request.remoteAddress,
      length: request.contentLength,
      two: request.header('X-Two'),
      forwarded: request.header('x-forwarded-for')?.includes('192.0.2.7') || request.header('x-forwarded-for'),
      proxy: request.header('Proxy'),
      cookie: request.cookies['a']?.[0],
    }).toEqual({
      method: 'GET',
      target: '/app/x%20y?q=1',
      path: '/x%20y',
      mount: '/app',
      outside: false,
      query: [['q', '1']],
      scheme: 'http',
      address: '192.0.2.7',
      length: webServer.getLength,
      two: '1, 2',
      forwarded: webServer.name === 'Caddy' ? true : '1.2.3.4', // Caddy does not believe the client
      proxy: undefined,
      cookie: 'b',
    });
    expect(request.url.pathname + request.url.search).toBe('/app/x%20y?q=1');
    expect(request.url.hostname).toBe('www.example');
    expect([...request.headers.keys()]).not.toContain('proxy');
    expect(request.environ.get('REQUEST_URI')).toBe('/app/x%20y?q=1');
  });

  test('HTTPS is seen', () => {
    expect(requestWith(withPairs(webServer.get, { HTTPS: 'on' })).url.protocol).toBe('https:');
  });
});

describe('query', () => {
  test.each<[string, [string, string][]]>([
    [
      '/?a=1&b=2&a=3',
      [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
    ],
    ['/?a=%C3%A9+%20%2B', [['a', '\u00e9  +']]],
    ['/?caf%C3%A9=\xc3\xa9', [['caf\u00e9', '\u00e9']]], // raw UTF-8 from the client
    [
      '/?a=%E9&b=\xe9',
      [
        ['a', '\ufffd'],
        ['b', '\ufffd'],
      ],
    ], // what is not UTF-8 is replaced
    ['/?a', [['a', '']]],
    ['/?=b', [['', 'b']]],
    ['/??a=1', [['?a', '1']]],
    ['/?a=b=c', [['a', 'b=c']]],
    ['/?__proto__=x', [['__proto__', 'x']]],
    ['/?a=1#b=2', [['a', '1']]],
    ['/?', []],
    ['/', []],
  ])('of %j', (target, expected) => {
    expect([...requestTo(target).query]).toEqual(expected);
  });

  test('is the one the web server has made of it', () => {
    expect(requestTo('/?a=1', { QUERY_STRING: 'rewritten=\xc3\xa9' }).query.toString()).toBe('rewritten=%C3%A9');
  });

  test('is read once', () => {
    const request = requestTo('/?a=1');
    expect(request.query).toBe(request.query);
  });
});

describe('cookies', () => {
  const cookiesOf = (header: string): object => ({ ...requestTo('/', { HTTP_COOKIE: header }).cookies });

  test.each<[string, object]>([
    ['a=b; c=d', { a: 'b', c: 'd' }],
    ['a=b;c=d', { a: 'b', c: 'd' }],
    ['a="quoted"', { a: '"quoted"' }],
    ['a=b%20%C3%A9', { a: 'b \u00e9' }],
    ['a=%zz', { a: '%zz' }],
    ['a=1; a=2', { a: '1' }],
    ['a=b=c', { a: 'b=c' }],
    ['a', {}],
    ['', {}],
  ])('of %j', (header, expected) => {
    expect(cookiesOf(header)).toEqual(expected);
  });

  test('are none without a Cookie field, and none on a prototype', () => {
    const { cookies } = requestTo('/');
    expect(Object.keys(cookies)).toEqual([]);
    expect(cookies['constructor']).toBeUndefined();
    expect(requestTo('/', { HTTP_COOKIE: '__proto__=x' }).cookies['__proto__']).toBe('x');
  });
});

describe('url', () => {
  test.each<[string, Record<string, string>, string]>([
    ['/x?q', { HTTP_HOST: 'a.example' }, 'http://a.example/x?q'],
    ['/x', { HTTP_HOST: 'a.example:8080', HTTPS: 'on' }, 'https://a.example:8080/x'],
    ['/x', { HTTP_HOST: '[::1]:8080' }, 'http://[::1]:8080/x'],
    ['/x', { SERVER_NAME: 'b.example', SERVER_PORT: '81' }, 'http://b.example:81/x'],
    ['/x', {}, 'http://localhost/x'],
    ['/caf\xc3\xa9?n=\xe9', { HTTP_HOST: 'a.example' }, 'http://a.example/caf%C3%A9?n=%E9'],
    ['//evil.example/x', { HTTP_HOST: 'a.example' }, 'http://a.example//evil.example/x'],
    ['@evil.example/x', { HTTP_HOST: 'a.example' }, 'http://a.example/@evil.example/x'],
  ])('of %j with %p', (target, environ, url) => {
    expect(requestTo(target, environ).url.href).toBe(url);
  });

  test.each([
    'a b',
    'a.example/x',
    'a.example?x',
    'a.example#x',
    'user@a.example',
    'a\\b',
    ':80',
    'a:b',
    '[::1',
    'a.example:99999',
  ])('is the mistake of the client where its host is %j', (host) => {
    expect(() => requestTo('/x', { HTTP_HOST: host }).url).toThrow(new HttpError(400, 'the Host header is not a host'));
  });
});

describe('method', () => {
  test('is the one that was sent, until it is overridden', () => {
    const request = requestTo('/', { REQUEST_METHOD: 'POST' });
    expect([request.method, request.sentMethod]).toEqual(['POST', 'POST']);
    request.method = 'DELETE';
    expect([request.method, request.sentMethod]).toEqual(['DELETE', 'POST']);
  });
});

describe('remoteUser', () => {
  test.each([
    [{ REMOTE_USER: 'anna' }, 'anna'],
    [{ REMOTE_USER: '' }, undefined],
    [{}, undefined],
    [{ HTTP_REMOTE_USER: 'eve' }, undefined],
  ])('of %p is %p', (environ, user) => {
    expect(requestTo('/', environ).remoteUser).toBe(user);
  });
});

test('state is a place of its own for each request, with nothing in it', () => {
  const [one, other] = [requestTo('/'), requestTo('/')];
  one.state['user'] = 'anna';
  expect(one.state['user']).toBe('anna');
  expect(other.state['user']).toBeUndefined();
  expect(one.state['constructor']).toBeUndefined();
});

describe('body', () => {
  type Read = (request: HttpRequest) => Promise<unknown>;

  /** What `read` gives for a body, or the answer that its failure becomes. */
  async function reading(read: Read, asked: InjectedRequest): Promise<unknown> {
    let result: unknown;
    const application = new Application().post('/', async (request) => {
      result = await read(request);
      return 'read';
    });
    const response = await application.inject({ method: 'POST', ...asked });
    return response.status === 200 ? result : `${response.status} ${response.text()}`;
  }

  const of = (type: string, body: string | Uint8Array): InjectedRequest => ({
    headers: { 'Content-Type': type },
    body,
  });
  const text: Read = (request) => request.text();
  const json: Read = (request) => request.json();
  const form: Read = async (request) => [...(await request.form())];

  test('as bytes', async () => {
    const bytes = Buffer.from([0, 255, 10, 13]);
    expect(await reading((request) => request.bytes(), { body: bytes })).toEqual(bytes);
    expect(await reading((request) => request.bytes(), {})).toEqual(Buffer.alloc(0));
  });

  test('as a stream', async () => {
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from('a');
      yield Buffer.from('b');
    }
    const pieces: Read = async (request) => {
      const all: string[] = [];
      for await (const piece of request.body) all.push(piece.toString());
      return all;
    };
    expect(await reading(pieces, { body: body() })).toEqual(['a', 'b']);
  });

  test.each<[string, InjectedRequest, string]>([
    ['UTF-8', { body: 'caf\u00e9 \u{1f600}' }, 'caf\u00e9 \u{1f600}'],
    ['UTF-8 that says so', of('text/plain; charset="UTF-8"', 'caf\u00e9'), 'caf\u00e9'],
    ['UTF-8 with a byte order mark', { body: '\ufeffcaf\u00e9' }, 'caf\u00e9'],
    ['latin1', of('text/plain; charset=iso-8859-1', Buffer.from('caf\xe9', 'latin1')), 'caf\u00e9'],
    ['UTF-16', of('text/plain;charset=utf-16le', Buffer.from('caf\u00e9', 'utf16le')), 'caf\u00e9'],
    ['a charset that nobody knows', of('text/plain; charset=none', 'x'), '415 415 the charset none is not known\n'],
    ['nothing', {}, ''],
  ])('as text: %s', async (_what, asked, expected) => {
    expect(await reading(text, asked)).toBe(expected);
  });

  test.each<[string, InjectedRequest, unknown]>([
    ['an object', of('application/json', '{"a":[1,"\u00e9",null]}'), { a: [1, '\u00e9', null] }],
    ['a scalar', of('application/json; charset=utf-8', '7'), 7],
    ['another type of JSON', of('application/vnd.api+json', '{}'), {}],
    ['a type in capitals', of('APPLICATION/JSON', '{}'), {}],
    ['a byte order mark', of('application/json', '\ufeff{}'), {}],
    ['text', of('application/json', 'x'), expect.stringMatching(/^400 400 the body is not JSON: /)],
    ['nothing', of('application/json', ''), expect.stringMatching(/^400 400 the body is not JSON: /)],
    ['another type', of('text/plain', '{}'), '415 415 send the body as application/json\n'],
    ['a type that only ends alike', of('application/notjson', '{}'), '415 415 send the body as application/json\n'],
    ['no type', { body: '{}' }, '415 415 send the body as application/json\n'],
  ])('as JSON: %s', async (_what, asked, expected) => {
    expect(await reading(json, asked)).toEqual(expected);
  });

  test('as JSON does not change prototypes', async () => {
    const value = (await reading(json, of('application/json', '{"__proto__":{"polluted":true}}'))) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: true }).polluted).toBeUndefined();
  });

  const FORM = 'application/x-www-form-urlencoded';
  test.each<[string, InjectedRequest, unknown]>([
    [
      'fields',
      of(FORM, 'a=1&b=%C3%A9+%2B&a=2'),
      [
        ['a', '1'],
        ['b', '\u00e9 +'],
        ['a', '2'],
      ],
    ],
    ['raw UTF-8', of(`${FORM}; charset=utf-8`, 'a=\u00e9'), [['a', '\u00e9']]],
    ['a field that begins with ?', of(FORM, '?a=1'), [['?a', '1']]],
    ['nothing', of(FORM, ''), []],
    ['as many fields as may be', of(FORM, 'a&'.repeat(999) + 'a'), Array(1000).fill(['a', ''])],
    ['more', of(FORM, 'a&'.repeat(1000) + 'a'), '413 413 a form of more than 1000 fields\n'],
    ['another type', of('text/plain', 'a=1'), `415 415 send the body as ${FORM}\n`],
  ])('as a form: %s', async (_what, asked, expected) => {
    expect(await reading(form, asked)).toEqual(expected);
  });

  test('as a form, with another bound', async () => {
    const few: Read = (request) => request.form({ maxFields: 1 });
    expect(await reading(few, of(FORM, 'a&b'))).toMatch(/^413 /);
  });

  test.each([
    ['bytes', (request: HttpRequest) => request.bytes()],
    ['text', text],
    ['json', json],
    ['form', form],
  ])('is bounded by 1 MiB, as %s', async (_how, read) => {
    const type = read === form ? FORM : 'application/json';
    const atBound = `"${'x'.repeat(1024 * 1024 - 2)}"`;
    expect(String(await reading(read, of(type, atBound)))).not.toMatch(/^413/);
    expect(await reading(read, of(type, `${atBound} `))).toBe('413 413 Content Too Large\n');
  });

  test('is refused for its type before it is read', async () => {
    expect(await reading(json, of('text/plain', 'x'.repeat(2 * 1024 * 1024)))).toMatch(/^415 /);
    expect(await reading(form, of('text/plain', 'x'.repeat(2 * 1024 * 1024)))).toMatch(/^415 /);
  });

  test('may have another bound', async () => {
    const small: Read = (request) => {
      request.maxBodyBytes = 3;
      return request.text();
    };
    expect(await reading(small, { body: 'abc' })).toBe('abc');
    expect(await reading(small, { body: 'abcd' })).toMatch(/^413 /);
  });

  test('may be asked for again, in any form', async () => {
    const again: Read = async (request) => [await request.json(), await request.text(), String(await request.bytes())];
    expect(await reading(again, of('application/json', '7'))).toEqual([7, '7', '7']);
  });
});
