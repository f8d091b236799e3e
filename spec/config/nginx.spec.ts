// nginxConfig(): which options lead to which directives. spec/web-servers runs what it makes.

import { nginxConfig } from '../../lib/config/index.ts';

const to = 'unix:/run/app.sock';

test('by default everything is the application’s, connections are kept, both directions buffered', () => {
  const text = nginxConfig({ to });
  expect(text).toMatch(/^upstream postfork \{$/m);
  expect(text).toMatch(/^ {4}keepalive 16;$/m);
  expect(text).toMatch(/^ {4}listen 80;$/m);
  expect(text).toMatch(/^ {4}location \/ \{$/m);
  expect(text).toContain('fastcgi_keep_conn on;');
  expect(text).toContain('fastcgi_request_buffering on;');
  expect(text).toContain('fastcgi_buffering on;');
  expect(text).toContain('client_max_body_size 67108864;');
  expect(text).toMatch(/fastcgi_param HTTP_PROXY\s+"";/);
  expect(text).toMatch(/fastcgi_param REQUEST_URI\s+\$request_uri;/);
  expect(text).not.toMatch(/internal|events|^ *root /m);
});

test('one connection for each request', () => {
  const text = nginxConfig({ to, keepAlive: 0 });
  expect(text).not.toMatch(/keepalive|fastcgi_keep_conn/);
});

test('a mount, alone', () => {
  const text = nginxConfig({ to, mount: '/my.app' });
  expect(text).toContain('location ~ "(?s)^/my\\.app(/.*)?$" {');
  expect(text).toMatch(/fastcgi_param SCRIPT_NAME\s+"\/my\.app";/);
  expect(text).toMatch(/fastcgi_param PATH_INFO\s+\$1;/);
  expect(text).toContain('return 404;');
});

test('a mount beside files: what is not below it is nginx’s', () => {
  const text = nginxConfig({ to, mount: '/app', root: '/srv/www' });
  expect(text).toContain('root "/srv/www";');
  expect(text).not.toContain('return 404;');
});

test('files below /static/', () => {
  expect(nginxConfig({ to, root: '/srv/www' })).toMatch(/location \/static\/ \{\n {4}\}/);
});

test('files that the application names', () => {
  const text = nginxConfig({ to, files: '/srv/files/' });
  expect(text).toMatch(/location \/postfork-files\/ \{\n {8}internal;\n {8}alias "\/srv\/files\/";\n/);
});

test('streaming both ways', () => {
  const text = nginxConfig({ to, streamRequests: true, streamResponses: true });
  expect(text).toContain('fastcgi_request_buffering off;');
  expect(text).toContain('fastcgi_buffering off;');
});

test('an address and a name', () => {
  expect(nginxConfig({ to, host: '127.0.0.1', port: 8080 })).toContain('listen 127.0.0.1:8080;');
  expect(nginxConfig({ to, host: '::', serverName: 'example.org' })).toMatch(
    /listen \[::\]:80;\n *server_name example\.org;/,
  );
});

test('a whole configuration keeps its files in its folder', () => {
  const text = nginxConfig({ to, standalone: true, user: 'www-data', name: 'app' });
  expect(text).toContain('user www-data;');
  expect(text).toContain('pid nginx.pid;');
  expect(text).toMatch(/^ {4}upstream app \{$/m);
});

test.each([
  [{ to, name: 'a b' }, 'name: a b is not a name'],
  [{ to, standalone: true, user: 'root;' }, 'user: root; is not a name'],
  [{ to, keepAlive: -1 }, 'keepAlive: -1 is not a whole number from 0'],
])('%j is refused', (options, message) => {
  expect(() => nginxConfig(options)).toThrow(message);
});
