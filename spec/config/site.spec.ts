// Options of configurations: what is refused, because no text could be made of it that means it.

import { lighttpdConfig, nginxConfig, type SiteOptions } from '../../lib/config/index.ts';

const to = 'unix:/run/app.sock';

test.each<[string, SiteOptions, string]>([
  ['no place', { to: '' }, 'to: : write unix:/run/app.sock or tcp:127.0.0.1:9000'],
  ['a place without a scheme', { to: 'localhost:9000' }, 'to: localhost:9000: write unix:'],
  ['a relative socket', { to: 'unix:app.sock' }, 'to: unix:app.sock: write unix:'],
  ['a port beyond all', { to: 'tcp:127.0.0.1:70000' }, 'to: 70000 is not a whole number from 1 to 65535'],
  ['a quote in a path', { to: 'unix:/run/a".sock' }, 'to: /run/a".sock: no control characters'],
  ['a variable in a path', { to, root: '/srv/$host' }, 'root: /srv/$host: no control characters'],
  ['a line break in a path', { to, files: '/srv/\nx' }, 'files: /srv/\nx: no control characters'],
  ['a backslash', { to, files: '/srv/\\' }, 'files: /srv/\\: no control characters'],
  ['a relative folder', { to, root: 'www' }, 'root: www: write an absolute path'],
  ['port 0', { to, port: 0 }, 'port: 0 is not a whole number'],
  ['a name that is none', { to, serverName: 'a;b' }, 'serverName: a;b is not a name'],
  ['a host that is none', { to, host: 'a b' }, 'host: a b is not a name or an address'],
  ['a mount without a slash', { to, mount: 'app' }, 'mount: app: write a path such as /app'],
  ['a mount of characters that are encoded', { to, mount: '/a b' }, 'mount: /a b: write a path'],
  ['a mount of a pattern', { to, mount: '/a(b' }, 'mount: /a(b: write a path'],
  ['static files everywhere', { to, root: '/srv', staticPath: '/' }, 'staticPath: nothing would be left'],
  ['a body of half a byte', { to, maxBody: 0.5 }, 'maxBody: 0.5 is not a whole number'],
])('%s is refused', (_title, options, message) => {
  for (const make of [lighttpdConfig, nginxConfig]) {
    expect(() => make(options)).toThrow(TypeError);
    expect(() => make(options)).toThrow(message);
  }
});

test.each([
  ['unix:/run/app.sock', '"socket" => "/run/app.sock"', 'server "unix:/run/app.sock";'],
  ['unix:/run/app.sock?mode=660', '"socket" => "/run/app.sock"', 'server "unix:/run/app.sock";'],
  ['/run/app.sock', '"socket" => "/run/app.sock"', 'server "unix:/run/app.sock";'],
  ['tcp:127.0.0.1:9000', '"host" => "127.0.0.1"', 'server 127.0.0.1:9000;'],
  ['tcp:app.internal:9000', '"host" => "app.internal"', 'server app.internal:9000;'],
  ['tcp:[::1]:9000', '"host" => "::1"', 'server [::1]:9000;'],
])('%s', (place, lighttpd, nginx) => {
  expect(lighttpdConfig({ to: place })).toContain(lighttpd);
  expect(nginxConfig({ to: place })).toContain(nginx);
});
