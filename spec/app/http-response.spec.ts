// HttpResponse and its helpers, HttpError.

import { escapeHtml, HttpError, HttpResponse } from '../../lib/app/index.ts';

const type = (response: HttpResponse): string | undefined => response.headers.get('Content-Type');

test.each<[string, HttpResponse, number, string | undefined, unknown]>([
  ['new', new HttpResponse('x'), 200, undefined, 'x'],
  ['new without a body', new HttpResponse(), 200, undefined, undefined],
  ['text', HttpResponse.text('x'), 200, 'text/plain; charset=utf-8', 'x'],
  ['html', HttpResponse.html('<p>x'), 200, 'text/html; charset=utf-8', '<p>x'],
  ['json', HttpResponse.json({ a: [1, null] }), 200, 'application/json', '{"a":[1,null]}'],
  ['json of null', HttpResponse.json(null), 200, 'application/json', 'null'],
  ['json of a string', HttpResponse.json('x'), 200, 'application/json', '"x"'],
  ['empty', HttpResponse.empty(), 204, undefined, undefined],
  ['empty with another status', HttpResponse.empty({ status: 202 }), 202, undefined, undefined],
  ['redirect', HttpResponse.redirect('/x'), 302, undefined, undefined],
])('%s', (_what, response, status, contentType, body) => {
  expect([response.status, type(response), response.body]).toEqual([status, contentType, body]);
});

test.each(['text', 'html', 'json'] as const)('%s takes a status, headers and a Content-Type of its own', (kind) => {
  const response = HttpResponse[kind]('x', { status: 418, headers: { 'X-A': 'b' } });
  expect([response.status, response.headers.get('X-A')]).toEqual([418, 'b']);
  expect(type(HttpResponse[kind]('x', { headers: { 'content-type': 'text/css' } }))).toBe('text/css');
});

test('stream has a type that no browser shows', () => {
  async function* body(): AsyncGenerator<string> {
    yield 'x';
  }
  const stream = body();
  const response = HttpResponse.stream(stream, { status: 206 });
  expect([response.status, type(response), response.body]).toEqual([206, 'application/octet-stream', stream]);
});

test.each([
  ['undefined', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('x')],
  ['a BigInt', 1n],
])('json refuses %s', (_what, value) => {
  expect(() => HttpResponse.json(value)).toThrow(TypeError);
});

describe('redirect', () => {
  test.each([
    ['/x', '/x'],
    ['https://user@other.example:81/a/b?c=d&e=%20#f', 'https://user@other.example:81/a/b?c=d&e=%20#f'],
    ['http://[::1]:8080/', 'http://[::1]:8080/'],
    ['/caf\u00e9 au lait', '/caf%C3%A9%20au%20lait'],
    ['/\u{1f600}', '/%F0%9F%98%80'],
    ['/%C3%A9', '/%C3%A9'],
    ['/100%', '/100%25'],
    ['/%zz%4', '/%25zz%254'],
    ['/"<>\\^`{|}', '/%22%3C%3E%5C%5E%60%7B%7C%7D'],
    ['/a\r\nSet-Cookie: b', '/a%0D%0ASet-Cookie:%20b'],
    ["/!#$&'()*+,-.:;=?@[]_~", "/!#$&'()*+,-.:;=?@[]_~"],
    ['', ''],
  ])('to %j has Location %j', (location, expected) => {
    expect(HttpResponse.redirect(location).headers.get('Location')).toBe(expected);
  });

  test('may have another status, and headers', () => {
    const response = HttpResponse.redirect('/x', { status: 303, headers: { 'X-A': 'b' } });
    expect([response.status, response.headers.get('X-A'), response.headers.get('Location')]).toEqual([303, 'b', '/x']);
  });
});

describe('cookies', () => {
  const cookie = (...args: Parameters<HttpResponse['setCookie']>): string[] =>
    new HttpResponse().setCookie(...args).headers.getAll('Set-Cookie');

  test('are for the whole site unless told otherwise', () => {
    expect(cookie('a', 'b')).toEqual(['a=b; Path=/']);
    expect(cookie('a', 'b', { path: '/x' })).toEqual(['a=b; Path=/x']);
  });

  test('have their options', () => {
    const options = { maxAge: 60, httpOnly: true, secure: true, sameSite: 'lax', domain: 'a.example' } as const;
    expect(cookie('a', 'b', options)).toEqual([
      'a=b; Max-Age=60; Domain=a.example; Path=/; HttpOnly; Secure; SameSite=Lax',
    ]);
  });

  test('have their values encoded', () => {
    expect(cookie('a', 'b; c="d" \u00e9')).toEqual(['a=b%3B%20c%3D%22d%22%20%C3%A9; Path=/']);
  });

  test('stand beside each other', () => {
    const response = new HttpResponse().setCookie('a', '1').setCookie('b', '2').setCookie('a', '3');
    expect(response.headers.getAll('Set-Cookie')).toEqual(['a=1; Path=/', 'b=2; Path=/', 'a=3; Path=/']);
  });

  test('are cleared by one that is over', () => {
    const response = new HttpResponse().clearCookie('a', { domain: 'a.example' });
    expect(response.headers.getAll('Set-Cookie')).toEqual([
      'a=; Max-Age=0; Domain=a.example; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT',
    ]);
  });

  test.each(['a b', 'a=b', 'a;b', '', 'a\nb'])('cannot be named %j', (name) => {
    expect(() => new HttpResponse().setCookie(name, 'x')).toThrow(TypeError);
  });

  test('cannot break out by their path or domain', () => {
    expect(() => new HttpResponse().setCookie('a', 'b', { path: '/; Domain=x' })).toThrow(TypeError);
    expect(() => new HttpResponse().setCookie('a', 'b', { domain: 'x\r\nX: y' })).toThrow(TypeError);
  });
});

test('escapeHtml leaves nothing that means something in HTML', () => {
  expect(escapeHtml(`<a href="x" title='y'>&amp;</a>`)).toBe(
    '&#60;a href=&#34;x&#34; title=&#39;y&#39;&#62;&#38;amp;&#60;/a&#62;',
  );
  expect(escapeHtml('plain')).toBe('plain');
});

describe('HttpError', () => {
  test('has a status, a message, headers and a cause', () => {
    const cause = new Error('cause');
    const error = new HttpError(404, 'no such user', { headers: { 'X-A': 'b' }, cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.status, error.message, error.cause]).toEqual(['HttpError', 404, 'no such user', cause]);
    expect([...(error.headers ?? [])]).toEqual([['X-A', 'b']]);
  });

  test('without a message has the phrase of its status', () => {
    expect(new HttpError(404).message).toBe('Not Found');
    expect(new HttpError(404)).not.toHaveProperty('cause');
  });

  test.each([200, 304, 399, 600, 404.5, NaN, '404' as unknown as number])('has no status %p', (status) => {
    expect(() => new HttpError(status)).toThrow(RangeError);
  });
});
