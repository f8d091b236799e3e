// Request header fields out of what each web server sends.

import { requestHeader, requestHeaders } from '../../lib/cgi/index.ts';
import { variablesOf, WEB_SERVERS, type Pairs } from '../support/environs.ts';

describe.each(WEB_SERVERS)('behind $name', (webServer) => {
  const variables = variablesOf(webServer.get);
  const headers = requestHeaders(variables);

  test('HTTP_PROXY is no header, whatever the web server lets through', () => {
    expect(requestHeader(variables, 'Proxy')).toBeUndefined();
    expect(headers.has('proxy')).toBe(false);
  });

  test('fields that came twice are one', () => {
    expect(requestHeader(variables, 'X-Two')).toBe('1, 2');
    expect(headers.get('x-two')).toBe('1, 2');
  });

  test('cookies that came twice are one field', () => {
    expect(requestHeader(variables, 'Cookie')).toMatch(/^a=b[;,] c=d$/);
    expect(headers.get('cookie')).toBe(requestHeader(variables, 'Cookie'));
  });

  test('Authorization is there where the web server passes it', () => {
    const expected = webServer.passesAuthorization ? 'Basic dTpw' : undefined;
    expect(requestHeader(variables, 'Authorization')).toBe(expected);
    expect(headers.get('authorization')).toBe(expected);
  });

  test('a field with an underscore is there where the web server passes it', () => {
    const expected = webServer.passesUnderscores ? '1' : undefined;
    expect(requestHeader(variables, 'X_Under')).toBe(expected);
    expect(requestHeader(variables, 'X-Under')).toBe(expected);
  });

  test('a request without a body has no Content-Type, and no length but 0', () => {
    expect(requestHeader(variables, 'Content-Type')).toBeUndefined();
    expect(headers.has('content-type')).toBe(false);
    expect([undefined, '0']).toContain(requestHeader(variables, 'Content-Length'));
  });

  test('a chunked body has its type, its length where that is known, and no Transfer-Encoding', () => {
    const post = variablesOf(webServer.chunkedPost);
    expect(requestHeader(post, 'content-type')).toBe('text/plain');
    expect(requestHeaders(post).get('content-type')).toBe('text/plain');
    const length = webServer.chunkedLength === undefined ? undefined : String(webServer.chunkedLength);
    expect(requestHeader(post, 'content-length')).toBe(length);
    expect(requestHeaders(post).get('content-length')).toBe(length);
    expect(requestHeader(post, 'Transfer-Encoding')).toBeUndefined();
    expect(requestHeaders(post).has('transfer-encoding')).toBe(false);
  });

  test('all fields are found by name as well', () => {
    expect(headers.size).toBeGreaterThan(3);
    for (const [name, value] of headers) expect(requestHeader(variables, name)).toBe(value);
  });
});

const PAIRS: Pairs = [
  ['HTTP_X_BYTES', 'caf\xe9 \xc3\xa9'],
  ['HTTP_EMPTY', ''],
  ['CONTENT_TYPE', 'text/plain'],
  ['CONTENT_LENGTH', '5'],
  ['HTTP_CONTENT_TYPE', 'text/html'],
  ['HTTP_CONTENT_LENGTH', '500'],
  ['HTTP_CONTENT_ENCODING', 'gzip'],
  ['HTTP___PROTO__', 'polluted'],
  ['HTTP_CONSTRUCTOR', 'polluted'],
  ['http_lower', 'no header'],
  ['HTTP_X.Y', 'no header'],
  ['HTTP_X Y', 'no header'],
  ['HTTP_', 'no header'],
  ['HTTPS', 'on'],
  ['SERVER_NAME', 'no header'],
  ['Authorization', 'no header'],
];

test('values are kept byte for byte, as latin1', () => {
  expect(requestHeader(variablesOf(PAIRS), 'x-bytes')).toBe('caf\xe9 \xc3\xa9');
});

test('a field that came empty is there', () => {
  expect(requestHeader(variablesOf(PAIRS), 'Empty')).toBe('');
});

test('the fields of the body are those the web server vouches for', () => {
  const variables = variablesOf(PAIRS);
  expect(requestHeader(variables, 'Content-Type')).toBe('text/plain');
  expect(requestHeader(variables, 'Content-Length')).toBe('5');
  expect(requestHeader(variables, 'Content-Encoding')).toBe('gzip');
});

test('names are found in any case', () => {
  for (const name of ['CONTENT-TYPE', 'content-type', 'Content-Type']) {
    expect(requestHeader(variablesOf(PAIRS), name)).toBe('text/plain');
  }
});

test('what is no header field is left out', () => {
  expect([...requestHeaders(variablesOf(PAIRS))]).toEqual([
    ['x-bytes', 'caf\xe9 \xc3\xa9'],
    ['empty', ''],
    ['content-type', 'text/plain'],
    ['content-length', '5'],
    ['content-encoding', 'gzip'],
    ['--proto--', 'polluted'],
    ['constructor', 'polluted'],
  ]);
});

test('a name that no request has is undefined', () => {
  for (const name of ['X-None', '__proto__', 'constructor', 'toString']) {
    expect(requestHeader(variablesOf([['HTTP_X', 'y']]), name)).toBeUndefined();
  }
});
