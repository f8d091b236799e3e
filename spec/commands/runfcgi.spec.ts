// `postfork runfcgi`: Django's old options as arguments of `postfork serve`, and as processes.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { serveArguments } from '../../lib/commands/runfcgi.ts';
import { ask, commands, familyOf, isAlive, logLines, until } from './served.ts';

const command = commands();

describe('serveArguments()', () => {
  const DAEMON = ['--daemonize', '--chdir', '/', '--umask', '022'];
  const PREFORK = ['--method', 'fork', '--scaling', 'dynamic'];
  const SPARE = ['--workers', '5', '--min-spare', '2', '--max-spare', '5', '--max-workers', '50'];
  const REQUESTS = ['--max-requests', '0'];
  const STANDARD = [...PREFORK, ...SPARE, ...REQUESTS];

  test('without options: Django’s defaults, on descriptor 0, in the foreground', () => {
    expect(serveArguments([])).toEqual(STANDARD);
  });

  test.each([
    ['socket=/tmp/app.sock', ['--listen', 'unix:/tmp/app.sock']],
    ['host=127.0.0.1 port=3033', ['--listen', 'tcp:127.0.0.1:3033']],
    ['host=::1 port=3033', ['--listen', 'tcp:[::1]:3033']],
  ])('%s listens there, as a daemon in / with umask 022', (pairs, place) => {
    expect(serveArguments(pairs.split(' '))).toEqual([...place, ...DAEMON, ...STANDARD]);
  });

  test.each([
    ['protocol=fcgi', []],
    ['daemonize=false', []],
    ['daemonize=no', []],
    ['daemonize=f', []],
    ['daemonize=true', DAEMON],
    ['daemonize', DAEMON],
    ['daemonize=YES workdir=/srv umask=027', ['--daemonize', '--chdir', '/srv', '--umask', '027']],
    ['workdir=/srv', []],
    ['umask=027', ['--umask', '027']],
    ['pidfile=/tmp/app.pid', ['--pid-file', '/tmp/app.pid']],
    ['errlog=/tmp/err.log', ['--log-file', '/tmp/err.log']],
    ['outlog=/tmp/out.log', ['--out-file', '/tmp/out.log']],
    ['debug=yes', ['--log-level', 'debug']],
    ['debug', ['--log-level', 'debug']],
    ['debug=no', []],
    ['method=prefork', []],
    ['method=fork', []],
  ])('%s', (pairs, args) => {
    expect(serveArguments(pairs.split(' '))).toEqual([...args, ...STANDARD]);
  });

  test.each(['threaded', 'thread'])('method=%s is one process, for which numbers of workers mean nothing', (method) => {
    const args = [`method=${method}`, 'minspare=1', 'maxspare=2', 'maxchildren=3', 'maxrequests=4'];
    expect(serveArguments(args)).toEqual(['--method', 'single']);
  });

  test.each([
    ['maxspare=7', '--workers 7 --min-spare 2 --max-spare 7 --max-workers 50 --max-requests 0'],
    ['minspare=3', '--workers 5 --min-spare 3 --max-spare 5 --max-workers 50 --max-requests 0'],
    ['maxchildren=9', '--workers 5 --min-spare 2 --max-spare 5 --max-workers 9 --max-requests 0'],
    ['maxchildren=2', '--workers 2 --min-spare 2 --max-spare 5 --max-workers 2 --max-requests 0'],
    [
      'maxrequests=100',
      '--workers 5 --min-spare 2 --max-spare 5 --max-workers 50 --max-requests 100 --max-requests-strict',
    ],
    ['maxrequests=0', '--workers 5 --min-spare 2 --max-spare 5 --max-workers 50 --max-requests 0'],
  ])('%s', (pair, args) => {
    expect(serveArguments([pair])).toEqual([...PREFORK, ...args.split(' ')]);
  });

  test('a umask is what the socket’s mode is made of, as it was', () => {
    const placeWith = (umask: string): string | undefined =>
      serveArguments(['socket=/tmp/app.sock', `umask=${umask}`])[1];
    expect(['000', '077', '117', '22'].map(placeWith)).toEqual(
      ['777', '700', '660', '755'].map((mode) => `unix:/tmp/app.sock?mode=${mode}`),
    );
  });

  test('files are those of the folder where the command is given, not of the daemon’s', () => {
    const args = serveArguments(['socket=app.sock', 'pidfile=app.pid', 'errlog=err.log', 'outlog=out.log']);
    const here = process.cwd();
    for (const file of [`unix:${here}/app.sock`, `${here}/app.pid`, `${here}/err.log`, `${here}/out.log`]) {
      expect(args).toContain(file);
    }
  });

  test.each([
    ['sockets=/x', /^sockets is not an option of runfcgi; there are protocol, method, host, .*, debug$/],
    ['toString', /^toString is not an option/],
    ['=x', /^ is not an option/],
    ['protocol=scgi', /^protocol=scgi: only fcgi is spoken$/],
    ['method=forked', /^method=forked: write prefork or threaded$/],
    ['daemonize=maybe', /^daemonize=maybe: write yes or no$/],
    ['debug=1', /^debug=1: write yes or no$/],
    ['umask=9', /^umask=9: write it in octal, 022$/],
    ['umask', /^umask=true: write it in octal, 022$/],
    ['host=127.0.0.1', /^give host and port, or socket/],
    ['port=3033', /^give host and port, or socket/],
    ['host=127.0.0.1 port=3033 socket=/x', /^give host and port, or socket/],
    ['socket=/x port=3033', /^give host and port, or socket/],
  ])('%s is refused with what to write', (pairs, message) => {
    expect(() => serveArguments(pairs.split(' '))).toThrow(
      expect.objectContaining({ name: 'TypeError', message: expect.stringMatching(message) as string }),
    );
  });
});

describe('the command', () => {
  test('--help names every option that there is', async () => {
    const { stdout } = await command.run(['runfcgi', '--help']);
    const named = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1]);
    const known = /there are (.*)$/.exec(errorOf(() => serveArguments(['?'])))?.[1]?.split(', ');
    expect(named.filter((name) => known?.includes(name as string))).toEqual(known);
  });

  test.each([
    [['socket=/x', 'nonsense=1'], /nonsense is not an option of runfcgi/],
    [['maxrequests=many'], /--max-requests.*a number of 0 or more/],
    [
      ['minspare=9', 'maxspare=3', 'socket=/tmp/never.sock', 'daemonize=no'],
      /--min-spare 9 is more than --max-spare 3/,
    ],
    [[], /nowhere to listen: give socket=\/tmp\/app\.sock, or host=127\.0\.0\.1 port=3033\n$/],
  ])('%j: exit 1 and why', async (pairs, message) => {
    const { code, stderr } = await command.run(['runfcgi', command.write('simple.mjs', ''), ...pairs]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });

  test('method=prefork with all that a deployment had: a daemon of forked workers, its files, its folder, its mask', async () => {
    const made = command.name('.made');
    const body = `app.get('/', () => {
      console.log('to stdout'); console.error('to stderr'); writeFileSync('${made}', ''); return process.cwd();
    });`;
    const [socket, pidfile, errlog, outlog] = ['.sock', '.pid', '.err', '.out'].map((suffix) =>
      command.name(suffix),
    ) as [string, string, string, string];
    const files = [`socket=${socket}`, `pidfile=${pidfile}`, `errlog=${errlog}`, `outlog=${outlog}`];
    const given = [
      'method=prefork',
      'maxspare=2',
      'maxrequests=1',
      'daemonize=true',
      `workdir=${command.folder}`,
      'umask=007',
    ];
    const { code, stdout, stderr } = await command.run([
      'runfcgi',
      command.write('legacy.mjs', body),
      ...files,
      ...given,
    ]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
    const arbiter = command.owned(Number(readFileSync(pidfile, 'utf8')));
    const family = familyOf(arbiter);
    expect(family.length).toBeGreaterThanOrEqual(4); // the arbiter, the zygote, two workers
    const client = command.client(`unix:${socket}`);
    expect(await ask(client, '/')).toBe(command.folder);
    expect((statSync(socket).mode & 0o777).toString(8)).toBe('770');
    expect((statSync(made).mode & 0o777).toString(8)).toBe('660');
    await until('its words', () => /"msg":"to stderr"/.test(readFileSync(errlog, 'utf8')));
    await until('its words', () => readFileSync(outlog, 'utf8') === 'to stdout\n');
    const pids: string[] = [];
    while (pids.length < 10) pids.push(await ask(client, '/pid'));
    expect(new Set(pids).size).toBe(pids.length); // maxrequests=1
    process.kill(arbiter, 'SIGTERM');
    await until('its end', () => !isAlive(arbiter));
    expect([socket, pidfile].map((file) => existsSync(file))).toEqual([false, false]);
    expect(logLines(readFileSync(errlog, 'utf8')).filter(({ level }) => Number(level) > 40)).toEqual([]);
  });

  test('method=threaded with host and port in the foreground: one process that answers', async () => {
    const args = ['method=threaded', 'host=127.0.0.1', 'port=0', 'daemonize=false'];
    const process = command.start(['runfcgi', command.write('simple.mjs', ''), ...args]);
    const [, address = ''] = await process.says(/"at":"(tcp:127\.0\.0\.1:\d+)".*"serving /);
    expect(await ask(command.client(address), '/pid')).toBe(String(process.pid));
    expect(familyOf(process.pid)).toEqual([process.pid]);
    expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  test('method=threaded as a daemon: what the application writes goes to outlog and errlog', async () => {
    const body = "console.log('loaded'); app.get('/', () => { console.error('to stderr'); return 'ok'; });";
    const [socket, pidfile, errlog, outlog] = ['.sock', '.pid', '.err', '.out'].map((suffix) =>
      command.name(suffix),
    ) as [string, string, string, string];
    const files = [`socket=${socket}`, `pidfile=${pidfile}`, `errlog=${errlog}`, `outlog=${outlog}`];
    const module = command.write('legacy.mjs', body);
    expect(await command.run(['runfcgi', module, 'method=threaded', ...files])).toMatchObject({ code: 0, stderr: '' });
    const pid = command.owned(Number(readFileSync(pidfile, 'utf8')));
    expect(await ask(command.client(`unix:${socket}`), '/')).toBe('ok');
    process.kill(pid, 'SIGTERM');
    await until('its end', () => !isAlive(pid));
    expect(readFileSync(outlog, 'utf8')).toBe('loaded\n');
    expect(readFileSync(errlog, 'utf8')).toMatch(/"serving [^]*^to stderr$[^]*"stopped"/m);
  });
});

function errorOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
