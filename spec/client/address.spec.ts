// Addresses of applications.

import { ClientError, formatAddress, parseAddress } from '../../lib/client/index.ts';

test.each([
  ['unix:/run/app.sock', { path: '/run/app.sock' }],
  ['unix:app.sock', { path: 'app.sock' }],
  ['unix:/with space/ä:1.sock', { path: '/with space/ä:1.sock' }],
  ['tcp:127.0.0.1:9000', { host: '127.0.0.1', port: 9000 }],
  ['tcp:localhost:1', { host: 'localhost', port: 1 }],
  ['tcp:app-1.example:65535', { host: 'app-1.example', port: 65_535 }],
  ['tcp:[::1]:9000', { host: '::1', port: 9000 }],
  ['tcp:[fe80::1%eth0]:9000', { host: 'fe80::1%eth0', port: 9000 }],
])('%s is read, and written the same', (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});

test.each([
  ['/run/app.sock', 'write unix:/run/app.sock'],
  ['./app.sock', 'write unix:./app.sock'],
  ['app.sock', 'write unix:app.sock'],
  ['127.0.0.1:9000', 'write tcp:127.0.0.1:9000'],
  ['localhost', 'write tcp:localhost:9000'],
  ['9000', 'write tcp:127.0.0.1:9000'],
  [':9000', 'write tcp:127.0.0.1:9000'],
  ['tcp:9000', 'write tcp:127.0.0.1:9000'],
  ['tcp:127.0.0.1', 'write tcp:127.0.0.1:9000'],
  ['tcp:127.0.0.1:0', 'write tcp:127.0.0.1:9000'],
  ['tcp:127.0.0.1:65536', 'write tcp:127.0.0.1:9000'],
  ['tcp:::1:9000', 'write tcp:[::1]:9000'],
  ['::1', 'write tcp:[::1]:9000'],
  ['[::1]', 'write unix:/run/app.sock or tcp:127.0.0.1:9000'],
  ['http://localhost:80/', 'write unix:/run/app.sock or tcp:127.0.0.1:9000'],
  ['', 'write unix:/run/app.sock or tcp:127.0.0.1:9000'],
  ['tcp:', 'write unix:/run/app.sock or tcp:127.0.0.1:9000'],
  ['unix:', 'the path is missing; write unix:/run/app.sock'],
  ['unix:/run/app.sock?mode=660', 'options are for who listens; write unix:/run/app.sock'],
  ['unix:/a\0b', 'there is a NUL in the path'],
  [`unix:/${'x'.repeat(107)}`, "the path has 108 bytes, a unix socket's at most 107; use a shorter path"],
  [`unix:/${'ä'.repeat(54)}`, "the path has 109 bytes, a unix socket's at most 107; use a shorter path"],
])('%j is refused with what to do: %s', (text, advice) => {
  expect(() => parseAddress(text)).toThrow(
    new ClientError('BAD_ADDRESS', `address ${JSON.stringify(text)}: ${advice}`),
  );
});
