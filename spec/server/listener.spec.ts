// Where a server listens: the forms of --listen, and sockets that were inherited.

import { inheritedListener, listenerText, parseListener } from '../../lib/server/index.ts';

describe('parseListener', () => {
  test.each([
    ['unix:/run/app.sock', { kind: 'unix', path: '/run/app.sock', mode: 0o660, group: undefined }],
    ['/run/app.sock', { kind: 'unix', path: '/run/app.sock', mode: 0o660, group: undefined }],
    ['./app.sock', { kind: 'unix', path: './app.sock', mode: 0o660, group: undefined }],
    ['unix:app.sock', { kind: 'unix', path: 'app.sock', mode: 0o660, group: undefined }],
    ['unix:/run/app.sock?mode=600', { kind: 'unix', path: '/run/app.sock', mode: 0o600, group: undefined }],
    ['unix:/run/app.sock?mode=0666', { kind: 'unix', path: '/run/app.sock', mode: 0o666, group: undefined }],
    ['/run/app.sock?group=www-data&mode=660', { kind: 'unix', path: '/run/app.sock', mode: 0o660, group: 'www-data' }],
    ['unix:/run/a:b.sock', { kind: 'unix', path: '/run/a:b.sock', mode: 0o660, group: undefined }],
    ['tcp:127.0.0.1:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['tcp:9000', { kind: 'tcp', host: '127.0.0.1', port: 9000 }],
    ['tcp:localhost:0', { kind: 'tcp', host: 'localhost', port: 0 }],
    ['tcp:[::1]:65535', { kind: 'tcp', host: '::1', port: 65_535 }],
    ['tcp:0.0.0.0:9000', { kind: 'tcp', host: '0.0.0.0', port: 9000 }],
    ['fd:0', { kind: 'descriptor', fd: 0 }],
    ['fd:17', { kind: 'descriptor', fd: 17 }],
  ])('%s', (text, listener) => {
    expect(parseListener(text)).toEqual(listener);
  });

  test.each([
    ['', 'not a place to listen'],
    ['9000', 'not a place to listen'],
    ['127.0.0.1:9000', 'not a place to listen'],
    ['http:127.0.0.1:9000', 'not a place to listen'],
    ['app.sock', 'not a place to listen'],
    ['unix:', 'the path is missing'],
    ['unix:?mode=660', 'the path is missing'],
    ['unix:/a?mode=999', 'mode=999 is not an option of a unix socket (mode is three octal digits)'],
    ['unix:/a?mode=7777', 'mode=7777 is not an option of a unix socket (mode is three octal digits)'],
    ['unix:/a?mode=u+rw', 'mode=u rw is not an option of a unix socket (mode is three octal digits)'],
    ['unix:/a?group=', 'group= is not an option of a unix socket (mode is three octal digits)'],
    ['unix:/a?owner=root', 'owner=root is not an option of a unix socket (mode is three octal digits)'],
    ['unix:/a?mode=600?group=x', 'mode=600?group=x is not an option of a unix socket (mode is three octal digits)'],
    ['tcp:', 'host:port is missing or wrong'],
    ['tcp:localhost', 'host:port is missing or wrong'],
    ['tcp:localhost:', 'host:port is missing or wrong'],
    ['tcp:127.0.0.1:65536', 'host:port is missing or wrong'],
    ['tcp:::1:9000', 'host:port is missing or wrong'],
    ['tcp:[localhost]:9000', '[localhost] is not an IPv6 address'],
    ['fd:', 'a descriptor is a number'],
    ['fd:x', 'a descriptor is a number'],
    ['fd:-1', 'a descriptor is a number'],
  ])('%p is refused: %s', (text, why) => {
    expect(() => parseListener(text)).toThrow(
      new TypeError(
        `--listen ${text}: ${why}; write unix:/path/app.sock, unix:/path/app.sock?mode=660&group=www-data, ` +
          'tcp:127.0.0.1:9000, fd:0 or systemd',
      ),
    );
  });

  const pid = String(process.pid);

  test('systemd: the first socket it gave to this process', () => {
    expect(parseListener('systemd', { LISTEN_FDS: '2', LISTEN_PID: pid })).toEqual({ kind: 'descriptor', fd: 3 });
  });

  test.each([
    {},
    { LISTEN_FDS: '1' },
    { LISTEN_FDS: '1', LISTEN_PID: '1' },
    { LISTEN_FDS: '0', LISTEN_PID: pid },
    { LISTEN_FDS: '-1', LISTEN_PID: pid },
    { LISTEN_FDS: 'x', LISTEN_PID: pid },
    { LISTEN_FDS: '1.5', LISTEN_PID: pid },
  ])('systemd, which gave none: %p', (environ) => {
    expect(() => parseListener('systemd', environ)).toThrow(/systemd gave this process no socket/);
  });

  test('inheritedListener takes systemd first', () => {
    expect(inheritedListener({ LISTEN_FDS: '1', LISTEN_PID: pid })).toEqual({ kind: 'descriptor', fd: 3 });
  });
});

describe('listenerText', () => {
  test.each(['unix:/run/app.sock', 'tcp:127.0.0.1:9000', 'tcp:[::1]:9000', 'fd:3'])('gives %s back', (text) => {
    expect(listenerText(parseListener(text))).toBe(text);
  });
});
