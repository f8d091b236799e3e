// What a request is for, out of what each web server sends.

import {
  contentLength,
  pathBelow,
  queryString,
  requestHost,
  requestMethod,
  requestScheme,
  requestTarget,
  targetPath,
} from '../../lib/cgi/index.ts';
import { variablesOf, WEB_SERVERS, withPairs } from '../support/environs.ts';

type Environ = Readonly<Record<string, string>>;

const of = (environ: Environ): ReturnType<typeof variablesOf> => variablesOf(Object.entries(environ));

describe.each(WEB_SERVERS)('behind $name', (webServer) => {
  const variables = variablesOf(webServer.get);

  test('the target is what the client sent', () => {
    expect(requestTarget(variables)).toBe('/app/x%20y?q=1');
  });

  test('the target is the same without REQUEST_URI', () => {
    const without = variablesOf(webServer.get.filter(([name]) => name !== 'REQUEST_URI'));
    expect(requestTarget(without)).toBe('/app/x%20y?q=1');
  });

  test('the path below the mount is the same', () => {
    expect(pathBelow(targetPath(requestTarget(variables)), '/app')).toBe('/x%20y');
  });

  test('the query is the same', () => {
    expect(queryString(variables, requestTarget(variables))).toBe('q=1');
  });

  test('the method is the same', () => {
    expect(requestMethod(variables)).toBe('GET');
    expect(requestMethod(variablesOf(webServer.chunkedPost))).toBe('POST');
  });

  test('the length of the body is known, or known to be unknown', () => {
    expect(contentLength(variables)).toBe(webServer.getLength);
    expect(contentLength(variablesOf(webServer.chunkedPost))).toBe(webServer.chunkedLength);
  });

  test('the scheme is http, and https where it says HTTPS', () => {
    expect(requestScheme(variables)).toBe('http');
    expect(requestScheme(variablesOf(withPairs(webServer.get, { HTTPS: 'on' })))).toBe('https');
  });

  test('the host is the one the client asked for', () => {
    expect(requestHost(variables)).toMatch(/^www\.example(?::8080)?$/);
  });
});

describe('requestMethod', () => {
  test.each<[string, Environ, string]>([
    ['as sent', { REQUEST_METHOD: 'PROPFIND' }, 'PROPFIND'],
    ['GET without one', {}, 'GET'],
    ['GET for an empty one', { REQUEST_METHOD: '' }, 'GET'],
  ])('%s', (_what, environ, method) => {
    expect(requestMethod(of(environ))).toBe(method);
  });
});

describe('requestTarget', () => {
  test.each<[string, Environ, string]>([
    ['REQUEST_URI as it is', { REQUEST_URI: '/a%2Fb//c/../d;e?f=%20&g#h' }, '/a%2Fb//c/../d;e?f=%20&g#h'],
    ['REQUEST_URI before everything else', { REQUEST_URI: '/a', SCRIPT_NAME: '/b', PATH_INFO: '/c' }, '/a'],
    ['absolute-form', { REQUEST_URI: 'http://other.example:81/app/x?q=1' }, '/app/x?q=1'],
    ['absolute-form in capitals', { REQUEST_URI: 'HTTPS://OTHER.EXAMPLE/app' }, '/app'],
    ['absolute-form without a path', { REQUEST_URI: 'http://other.example' }, '/'],
    ['absolute-form without a path, with a query', { REQUEST_URI: 'http://other.example?q=1' }, '/?q=1'],
    ['absolute-form with a user', { REQUEST_URI: 'http://user:secret@other.example/x' }, '/x'],
    [
      'a path that only looks like absolute-form',
      { REQUEST_URI: '/http://other.example/x' },
      '/http://other.example/x',
    ],
    ['a path that begins with two slashes', { REQUEST_URI: '//other.example/x' }, '//other.example/x'],
    ['asterisk-form', { REQUEST_URI: '*' }, '/*'],
    ['a URI without its slash', { REQUEST_URI: 'x?y' }, '/x?y'],
    ['a URI that is only a query', { REQUEST_URI: '?y' }, '/?y'],
    ['raw bytes percent-encoded, UTF-8', { REQUEST_URI: '/caf\xc3\xa9?n=\xc3\xa9' }, '/caf%C3%A9?n=%C3%A9'],
    ['raw bytes percent-encoded, not UTF-8', { REQUEST_URI: '/caf\xe9' }, '/caf%E9'],
    ['blanks and controls percent-encoded', { REQUEST_URI: '/a b\tc\r\nd\0e\x7f' }, '/a%20b%09c%0D%0Ad%00e%7F'],
    ['what is encoded already is not encoded again', { REQUEST_URI: '/%C3%A9%2525 %' }, '/%C3%A9%2525%20%'],
    ['no variables at all', {}, '/'],
    ['an empty REQUEST_URI', { REQUEST_URI: '', SCRIPT_NAME: '/app', PATH_INFO: '/x' }, '/app/x'],
    ['its parts, encoded', { SCRIPT_NAME: '/app', PATH_INFO: '/a?b#c%d e/\xc3\xa9' }, '/app/a%3Fb%23c%25d%20e/%C3%A9'],
    ['its parts with the query, which is encoded', { PATH_INFO: '/x', QUERY_STRING: 'q=%20&\xe9' }, '/x?q=%20&%E9'],
    ['its parts with an empty query', { PATH_INFO: '/x', QUERY_STRING: '' }, '/x'],
    ['its parts without a slash', { SCRIPT_NAME: 'app' }, '/app'],
    ['sub-delimiters plain', { PATH_INFO: "/-._~!$&'()*+,;=:@" }, "/-._~!$&'()*+,;=:@"],
  ])('%s', (_what, environ, target) => {
    expect(requestTarget(of(environ))).toBe(target);
  });
});

describe('queryString', () => {
  test.each<[string, Environ, string, string]>([
    ['QUERY_STRING, which may have been rewritten', { QUERY_STRING: 'page=index' }, '/x?q=1', 'page=index'],
    ['QUERY_STRING, empty', { QUERY_STRING: '' }, '/x?q=1', ''],
    ["the target's where there is no QUERY_STRING", {}, '/x?q=1?r', 'q=1?r'],
    ['nothing', {}, '/x', ''],
    ['nothing behind the ?', {}, '/x?', ''],
    ['without the fragment', {}, '/x?q=1#f?g', 'q=1'],
    ['not from the fragment', {}, '/x#f?g', ''],
  ])('%s', (_what, environ, target, query) => {
    expect(queryString(of(environ), target)).toBe(query);
  });
});

describe('targetPath', () => {
  test.each([
    ['/x?q=1', '/x'],
    ['/x#f', '/x'],
    ['/x#f?q', '/x'],
    ['/x?q#f', '/x'],
    ['/', '/'],
    ['/?', '/'],
    // RFC 3986, 6.2.2.2: these are the same URLs
    ['/%61dmin', '/admin'],
    ['/%41%5A%61%7A%30%39%2D%2E%5F%7E', '/AZaz09-._~'],
    ['/%2d%2e%5f%7e', '/-._~'],
    // and these are others
    ['/a%2Fb%2fc', '/a%2Fb%2fc'],
    ['/%20%25%3F%23%40%5B%60%7B%7F%80%C3%A9%00', '/%20%25%3F%23%40%5B%60%7B%7F%80%C3%A9%00'],
    ['/%2561', '/%2561'],
    ['/%%61', '/%a'],
    ['/%6', '/%6'],
    ['/%zz', '/%zz'],
    ['/x?%61', '/x'],
  ])('of %s is %s', (target, path) => {
    expect(targetPath(target)).toBe(path);
  });
});

describe('pathBelow', () => {
  test.each([
    ['/app/x', '/app', '/x'],
    ['/app/', '/app', '/'],
    ['/app', '/app', '/'],
    ['/app//x', '/app', '//x'],
    ['/apple', '/app', undefined],
    ['/ap', '/app', undefined],
    ['/', '/app', undefined],
    ['/App/x', '/app', undefined],
    ['/x/app', '/app', undefined],
    ['/a/b/c', '/a/b', '/c'],
    ['/x', '', '/x'],
    ['/', '', '/'],
  ])('%s mounted at %p is %p', (path, mount, below) => {
    expect(pathBelow(path, mount)).toBe(below);
  });
});

describe('contentLength', () => {
  test.each<[string, string, number | undefined]>([
    ['zero', '0', 0],
    ['a number', '11', 11],
    ['leading zeros', '0011', 11],
    ['fifteen digits', '999999999999999', 999_999_999_999_999],
    ['empty (nginx)', '', undefined],
    ['-1 (Caddy)', '-1', undefined],
    ['the same number twice in one field', '11,11', 11],
    ['another negative number', '-2', NaN],
    ['a plus', '+11', NaN],
    ['a fraction', '1.5', NaN],
    ['an exponent', '1e3', NaN],
    ['hexadecimal', '0x10', NaN],
    ['blanks', ' 11', NaN],
    ['a blank behind', '11 ', NaN],
    ['words', 'eleven', NaN],
    ['sixteen digits', '1000000000000000', NaN],
    ['different numbers', '11,12', NaN],
    ['a number and nothing', '11,', NaN],
    ['nothing and a number', ',11', NaN],
    ['digits of another script', '\xb2', NaN],
    ['a NUL', '11\0', NaN],
  ])('%s: %p is %p', (_what, value, length) => {
    expect(contentLength(of({ CONTENT_LENGTH: value }))).toBe(length);
  });

  test.each<[string, string[], number]>([
    ['the same twice', ['11', '11'], 11],
    ['different ones', ['11', '12'], NaN],
    ['one that is empty', ['', '11'], NaN],
    ['one that is -1', ['-1', '11'], NaN],
    ['garbage twice', ['x', 'x'], NaN],
  ])('sent more than once: %s', (_what, values, length) => {
    expect(contentLength(variablesOf(values.map((value) => ['CONTENT_LENGTH', value])))).toBe(length);
  });

  test('absent', () => {
    expect(contentLength(of({}))).toBeUndefined();
  });

  test("does not take the client's word for the web server's", () => {
    expect(contentLength(of({ HTTP_CONTENT_LENGTH: '11' }))).toBeUndefined();
  });
});

describe('requestScheme', () => {
  test.each<[Environ, string]>([
    [{}, 'http'],
    [{ HTTPS: 'on' }, 'https'],
    [{ HTTPS: 'ON' }, 'https'],
    [{ HTTPS: '1' }, 'https'],
    [{ HTTPS: '' }, 'http'],
    [{ HTTPS: 'off' }, 'http'],
    [{ HTTPS: 'Off' }, 'http'],
    [{ REQUEST_SCHEME: 'https' }, 'https'],
    [{ REQUEST_SCHEME: 'http', HTTPS: 'on' }, 'https'],
    [{ REQUEST_SCHEME: 'https', HTTPS: 'off' }, 'https'],
    [{ HTTP_X_FORWARDED_PROTO: 'https' }, 'http'],
    [{ SERVER_PORT: '443' }, 'http'],
  ])('of %p is %s', (environ, scheme) => {
    expect(requestScheme(of(environ))).toBe(scheme);
  });
});

describe('requestHost', () => {
  test.each<[Environ, string]>([
    [{ HTTP_HOST: 'a.example', SERVER_NAME: 'b.example', SERVER_PORT: '81' }, 'a.example'],
    [{ HTTP_HOST: '', SERVER_NAME: 'b.example' }, 'b.example'],
    [{ SERVER_NAME: 'b.example', SERVER_PORT: '80' }, 'b.example'],
    [{ SERVER_NAME: 'b.example', SERVER_PORT: '8080' }, 'b.example:8080'],
    [{ SERVER_NAME: 'b.example', SERVER_PORT: '443', HTTPS: 'on' }, 'b.example'],
    [{ SERVER_NAME: 'b.example', SERVER_PORT: '443' }, 'b.example:443'],
    [{ SERVER_NAME: '[::1]', SERVER_PORT: '8080' }, '[::1]:8080'],
    [{ SERVER_NAME: 'b.example:8080', SERVER_PORT: '8080' }, 'b.example:8080'],
    [{ SERVER_NAME: '', SERVER_PORT: '8080' }, ''],
    [{}, ''],
  ])('of %p is %p', (environ, host) => {
    expect(requestHost(of(environ))).toBe(host);
  });
});
