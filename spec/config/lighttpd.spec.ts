// lighttpdConfig(): which options lead to which directives. spec/web-servers runs what it makes.

import { lighttpdConfig } from '../../lib/config/index.ts';

const to = 'unix:/run/app.sock';

test('by default everything is the application’s, bodies arrive whole and answers stream', () => {
  const text = lighttpdConfig({ to });
  expect(text).toContain('server.port = 80\n');
  expect(text).toContain('\nfastcgi.server = ( "/" => ((\n');
  expect(text).toContain('"check-local" => "disable"');
  expect(text).toContain('"fix-root-scriptname" => "enable"');
  expect(text).toContain('server.stream-request-body = 0\n');
  expect(text).toContain('server.stream-response-body = 1\n');
  expect(text).toContain('server.max-request-size = 65536\n');
  expect(text).not.toMatch(/sendfile|bin-path|server\.bind|server\.name|mimetype/);
});

test('a mount', () => {
  const text = lighttpdConfig({ to, mount: '/my.app/' });
  expect(text).toContain('$HTTP["url"] =~ "^/my\\.app(?:/|$)" {\n    fastcgi.server = ( "/my.app" => ((\n');
  expect(text).not.toContain('fix-root-scriptname');
});

test('a folder of files', () => {
  const text = lighttpdConfig({ to, root: '/srv/www/', staticPath: '/assets' });
  expect(text).toContain('server.document-root = "/srv/www"\nmimetype.assign = (\n');
  expect(text).toContain('$HTTP["url"] !~ "^/assets/" {\n');
});

test('files that the application names', () => {
  const text = lighttpdConfig({ to, files: '/srv/files' });
  expect(text).toContain('"x-sendfile" => "enable",\n');
  expect(text).toContain('"x-sendfile-docroot" => ( "/srv/files" ),\n');
});

test('streaming both ways', () => {
  const text = lighttpdConfig({ to, streamRequests: true, streamResponses: true });
  expect(text).toContain('server.stream-request-body = 2\n');
  expect(text).toContain('server.stream-response-body = 2\n');
});

test('a body of 1 byte more than a KiB needs 2', () => {
  expect(lighttpdConfig({ to, maxBody: 1025 })).toContain('server.max-request-size = 2\n');
});

test('an application that lighttpd starts', () => {
  const text = lighttpdConfig({ to, spawn: ['node', 'app.mjs'], environment: { NODE_ENV: 'test' } });
  expect(text).toContain('"bin-path" => "node app.mjs",\n');
  expect(text).toContain('"max-procs" => 1,\n');
  expect(text).toContain('"kill-signal" => 15,\n');
  expect(text).toContain('"bin-copy-environment" => ( "PATH" ),\n');
  expect(text).toContain('"NODE_ENV" => "test",\n');
});

test.each([
  [{ to: 'tcp:127.0.0.1:9000', spawn: ['node'] }, 'needs a unix socket'],
  [{ to, spawn: [] }, 'lighttpd parts the command at white space'],
  [{ to, spawn: ['node', '/my app.mjs'] }, 'spawn: "/my app.mjs": lighttpd parts'],
  [{ to, spawn: ['node', 'a"b'] }, 'spawn: node a"b: no control characters'],
  [{ to, spawn: ['node'], environment: { A: '$x' } }, 'environment: $x: no control characters'],
])('%j is refused', (options, message) => {
  expect(() => lighttpdConfig(options)).toThrow(message);
});
