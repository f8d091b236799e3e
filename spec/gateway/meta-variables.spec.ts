// The meta-variables that an application gets from the gateway.

import { HELLO } from '../support/client-and-application.ts';
import { gateways } from './gateways.ts';

const { beforeScript, raw } = gateways();

/** PARAMS of a request that was written by hand. */
async function paramsOf(head: string): Promise<{ params: Record<string, string>; port: number; remotePort: number }> {
  const started = await beforeScript();
  const seen = new Promise<[string, string][]>((resolve) =>
    started.application.serve((request, connection) => {
      resolve(request.params);
      connection.answer(request.id, HELLO);
    }),
  );
  const http = await raw(started, head);
  const pairs = await seen;
  const params = Object.fromEntries(pairs);
  expect(pairs).toHaveLength(Object.keys(params).length); // no name twice: applications differ in which they take
  return { params, port: started.port, remotePort: http.socket.localPort ?? 0 };
}

test('are those of nginx', async () => {
  const { params, port, remotePort } = await paramsOf('GET /a%20b//c?q=%20 HTTP/1.1\r\nHost: example.org:81\r\n\r\n');
  expect(params).toEqual({
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_SOFTWARE: 'postfork-gateway',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'example.org',
    SERVER_ADDR: '127.0.0.1',
    SERVER_PORT: String(port),
    REMOTE_ADDR: '127.0.0.1',
    REMOTE_PORT: String(remotePort),
    REQUEST_METHOD: 'GET',
    REQUEST_SCHEME: 'http',
    REQUEST_URI: '/a%20b//c?q=%20',
    SCRIPT_NAME: '',
    PATH_INFO: '/a b/c',
    QUERY_STRING: 'q=%20',
    CONTENT_TYPE: '',
    CONTENT_LENGTH: '',
    HTTP_HOST: 'example.org:81',
  });
});

test('tell of the body once', async () => {
  const { params } = await paramsOf(
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi',
  );
  expect(params).toMatchObject({ CONTENT_TYPE: 'text/plain', CONTENT_LENGTH: '2' });
  expect(Object.keys(params).filter((name) => name.startsWith('HTTP_'))).toEqual(['HTTP_HOST']);
});

test('have the length of a chunked body, and nothing of how it came', async () => {
  const { params } = await paramsOf(
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n',
  );
  expect(params).toMatchObject({ CONTENT_LENGTH: '3' });
  expect(params).not.toHaveProperty('HTTP_TRANSFER_ENCODING');
});

test('join repeated fields by commas, and cookies by semicolons', async () => {
  const { params } = await paramsOf(
    'GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: a=1\r\nx-a: 2\r\ncookie: b=2; c=3\r\n\r\n',
  );
  expect(params).toMatchObject({ HTTP_X_A: '1, 2', HTTP_COOKIE: 'a=1; b=2; c=3' });
});

test('have no HTTP_PROXY (CVE-2016-5385)', async () => {
  const { params } = await paramsOf('GET / HTTP/1.1\r\nHost: a\r\nProxy: http://evil.example/\r\n\r\n');
  expect(params).not.toHaveProperty('HTTP_PROXY');
});

test('have no field whose name could be taken for another one', async () => {
  const { params } = await paramsOf('GET / HTTP/1.1\r\nHost: a\r\nX_Real-Ip: 1\r\nX-Real-Ip: 2\r\nX.Y: 3\r\n\r\n');
  expect(params['HTTP_X_REAL_IP']).toBe('2');
  expect(params).not.toHaveProperty('HTTP_X.Y');
});

test('have the bytes of a field as they came', async () => {
  const { params } = await paramsOf('GET / HTTP/1.1\r\nHost: a\r\nX-Name: \xc3\xbc\r\nX-Empty:\r\n\r\n');
  expect(params).toMatchObject({ HTTP_X_NAME: '\xc3\xbc', HTTP_X_EMPTY: '' });
});

test('have the host of an absolute target, whatever Host says', async () => {
  const { params } = await paramsOf('GET http://[::1]:80/x?y HTTP/1.1\r\nHost: other\r\n\r\n');
  expect(params).toMatchObject({ HTTP_HOST: '[::1]:80', SERVER_NAME: '::1', REQUEST_URI: '/x?y', PATH_INFO: '/x' });
});

test('have the address for a name where HTTP/1.0 tells none', async () => {
  const { params } = await paramsOf('GET / HTTP/1.0\r\n\r\n');
  expect(params).toMatchObject({ SERVER_NAME: '127.0.0.1', SERVER_PROTOCOL: 'HTTP/1.0' });
  expect(params).not.toHaveProperty('HTTP_HOST');
});

test('do not exist for a path that cannot be decoded: nginx refuses it too', async () => {
  const started = await beforeScript();
  const http = await raw(started, 'GET /100% HTTP/1.1\r\nHost: a\r\n\r\n');
  await http.has(/^HTTP\/1\.1 400 [^]*written %25/);
  expect(started.application.connections).toHaveLength(0);
});

describe('a host that is none, or two of them', () => {
  test.each([
    ['two fields', '/', 'Host: a\r\nHost: b'],
    ['twice the same', '/', 'Host: a\r\nHost: a'],
    ['an empty one', '/', 'Host: '],
    ['a path', '/', 'Host: a/b'],
    ['spaces', '/', 'Host: a b'],
    ['a list', '/', 'Host: a,b'],
    ['HTML', '/', 'Host: <script>'],
    ['a port that is none', '/', 'Host: a:http'],
    ['userinfo', '/', 'Host: me@a'],
    ['a target with userinfo', 'http://me:word@a/', 'Host: a'],
    ['a target without one', 'http:///x', 'Host: a'],
    ['a target with one, and two fields', 'http://a/', 'Host: a\r\nHost: b'],
  ])('%s: a 400, and the connection is closed', async (_title, target, fields) => {
    const started = await beforeScript();
    const http = await raw(started, `GET ${target} HTTP/1.1\r\n${fields}\r\n\r\n`);
    expect(await http.closed).toMatch(
      /^HTTP\/1\.1 400 [^]*Connection: close\r\n[^]*no host, or one that is none, or two/,
    );
    expect(started.application.connections).toHaveLength(0);
  });

  test.each(['example.org:8080', '[::1]:80', '127.0.0.1', 'my_host.local', 'xn--bcher-kva.example'])(
    '%s is one',
    async (host) => {
      expect((await paramsOf(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).params).toMatchObject({ HTTP_HOST: host });
    },
  );
});
