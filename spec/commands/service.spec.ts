// Started by others: what a service manager is told (sd_notify), and sockets that systemd or lighttpd have made.

import { existsSync, writeFileSync } from 'node:fs';
import { send } from '../support/http.ts';
import { SpecProcess } from '../support/process.ts';
import { serveCommand, startLighttpd } from '../support/web-servers.ts';
import { CLI } from './programs.ts';
import { answersOf, ask, childrenOf, commands, familyOf, isAlive, until } from './served.ts';

const command = commands();
const others: SpecProcess[] = [];
afterEach(() => Promise.all(others.splice(0).map((one) => one.stop('SIGKILL'))));

function perl(script: string, ...args: string[]): SpecProcess {
  const started = new SpecProcess('perl', ['-e', `use Socket qw(:all); use POSIX (); $| = 1; ${script}`, ...args]);
  others.push(started);
  return started;
}

/** A service manager's end of NOTIFY_SOCKET: prints each datagram as a line. */
async function serviceManager(): Promise<{
  path: string;
  said: (pattern: RegExp) => Promise<unknown>;
  all: () => string[];
}> {
  const path = command.name('.notify');
  const manager = perl(
    `socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; print "bound\\n";
     while (defined recv(S, $_, 4096, 0)) { s/\\n/|/g; print "got $_\\n" }`,
    path,
  );
  await manager.says(/bound/, 'stdout');
  const all = (): string[] => [...manager.stdout.matchAll(/^got (.*)$/gm)].map((match) => match[1] as string);
  return { path, said: (pattern) => manager.says(pattern, 'stdout'), all };
}

describe.each(['single', 'spawn', 'fork'])('sd_notify by method %s:', (method) => {
  test('READY=1 when it serves and not before, STOPPING=1 when it is told to; workers know nothing of it', async () => {
    const { path, said, all } = await serviceManager();
    const [loading, release] = [command.name('.loading'), command.name('.release')];
    const module = command.write(
      `${method}.mjs`,
      `const early = Object.keys(process.env); app.get('/environ', () => json([...early, ...Object.keys(process.env)]));
       writeFileSync('${loading}', ''); while (!existsSync('${release}')) await delay(10);`,
    );
    const socket = command.name('.sock');
    const process = command.start(['serve', module, '--method', method, '--listen', `unix:${socket}`], {
      environ: { NOTIFY_SOCKET: path, SPEC: 'here' },
    });
    await process.until(() => existsSync(loading));
    expect([all(), existsSync(socket)]).toEqual([[], false]);
    writeFileSync(release, '');
    await said(/ READY=1/);
    const environ = JSON.parse(await ask(command.client(`unix:${socket}`), '/environ')) as string[];
    expect(environ).toContain('SPEC');
    expect(environ).not.toContain('NOTIFY_SOCKET');
    process.signal('SIGTERM');
    expect(await process.finished).toEqual({ code: 0, signal: null });
    await said(/STOPPING=1/);
    expect(all()).toEqual(['READY=1', 'STOPPING=1']);
  });
});

describe('sd_notify', () => {
  test.each([
    ['that succeeds', '', '"reloaded"'],
    ['that fails', "throw new Error('a bad release');", 'not reloaded'],
  ])('around a reload %s: RELOADING=1 with its time, then READY=1', async (_what, next, word) => {
    const { path, said, all } = await serviceManager();
    const environ = { NOTIFY_SOCKET: path };
    const { process } = await command.serve(command.write('reloads.mjs', ''), [], { environ });
    await said(/READY=1/);
    command.write('reloads.mjs', next);
    process.signal('SIGHUP');
    await process.says(new RegExp(word));
    await said(/READY=1[^]*READY=1/);
    expect(all()).toEqual(['READY=1', expect.stringMatching(/^RELOADING=1\|MONOTONIC_USEC=\d+$/), 'READY=1']);
  });

  test('an application that does not start is never READY', async () => {
    const { path, said, all } = await serviceManager();
    const module = command.write('broken.mjs', "throw new Error('no database');");
    const listen = `unix:${command.name('.sock')}`;
    const { code } = await command.run(['serve', module, '--listen', listen], { environ: { NOTIFY_SOCKET: path } });
    expect(code).toBe(3);
    // what was said before has come before
    perl('socket(S, AF_UNIX, SOCK_DGRAM, 0); send(S, "LAST", 0, pack_sockaddr_un($ARGV[0])) or die', path);
    await said(/LAST/);
    expect(all().filter((message) => message.includes('READY'))).toEqual([]);
  });

  test('WATCHDOG=1 comes from when it serves, again and again', async () => {
    const { path, said, all } = await serviceManager();
    const environ = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '600000' };
    await command.serve(command.write('simple.mjs', ''), [], { environ });
    await said(/READY=1\n(got WATCHDOG=1\n){4}/);
    expect(all().slice(0, 5)).toEqual(['READY=1', ...Array<string>(4).fill('WATCHDOG=1')]);
  });
});

describe.each(['spawn', 'fork'])('by method %s:', (method) => {
  test('on systemd’s socket, LISTEN_FDS, which outlives the workers, a reload and the arbiter', async () => {
    const path = command.name('.sock');
    const body =
      'app.get("/listen", () => json(Object.keys(process.env).filter((name) => name.startsWith("LISTEN_"))));';
    const given = ['--method', method, '--workers', '2', '--no-control'];
    // by way of 99: perl closes its own descriptors behind exec
    const arbiter = perl(
      `socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un($ARGV[0])) or die; listen(S, 8);
       POSIX::dup2(fileno(S), 99); POSIX::dup2(99, 3); POSIX::close(99); $ENV{LISTEN_FDS} = 1; $ENV{LISTEN_PID} = $$;
       shift @ARGV; exec { $ARGV[0] } @ARGV`,
      path,
      process.execPath,
      CLI,
      'serve',
      command.write(`${method}.mjs`, body),
      ...given,
    );
    await arbiter.says(/"serving /);
    const client = command.client(`unix:${path}`);
    const before = await workersOf(arbiter.pid, 2);
    expect(await answersOf(before, () => ask(client, '/pid'))).toEqual(before);
    expect(await ask(client, '/listen')).toBe('[]');
    arbiter.signal('SIGHUP');
    await arbiter.says(/"msg":"reloaded"/);
    await until('the end of the old ones', () => !before.some(isAlive));
    const after = await workersOf(arbiter.pid, 2);
    expect(await answersOf(after, () => ask(client, '/pid'))).toEqual(after);
    arbiter.signal('SIGTERM');
    expect(await arbiter.finished).toEqual({ code: 0, signal: null });
    expect(existsSync(path)).toBe(true);
  });

  test('started by lighttpd on descriptor 0: two workers answer, a reload works, and all ends with lighttpd', async () => {
    const module = command.write(`${method}.mjs`, '');
    const spawn = serveCommand(module, '--method', method, '--workers', '2', '--no-control');
    const server = await startLighttpd({ to: `unix:${command.name('.sock')}`, spawn });
    try {
      const askPid = async (): Promise<string> => (await send(server.port, '/pid')).body.toString();
      const [, pid] = await server.logged(/"pid":(\d+),[^\n]*"at":"fd:0"/);
      const arbiter = Number(pid);
      const before = await workersOf(arbiter, 2);
      expect(await answersOf(before, askPid)).toEqual(before);
      process.kill(arbiter, 'SIGHUP');
      await server.logged(/"msg":"reloaded"/);
      await until('the end of the old ones', () => !before.some(isAlive));
      const after = await workersOf(arbiter, 2);
      expect(await answersOf(after, askPid)).toEqual(after);
      const family = familyOf(arbiter);
      process.kill(server.pid, 'SIGTERM');
      const stopped = await server.logged(new RegExp(`"pid":${arbiter},[^\\n]*"msg":"stopped"`));
      expect(stopped.input).toContain('"stopping: SIGTERM"');
      await until('the end of all', () => !family.some(isAlive));
    } finally {
      await server.stop();
    }
  });

  /** An arbiter's workers, in no order; the zygote's where there is one. Those of before may still be on their way out. */
  async function workersOf(arbiter: number, many: number): Promise<number[]> {
    let workers: number[] = [];
    await until(`${many} workers`, () => {
      const children = childrenOf(arbiter);
      workers = method === 'fork' ? children.flatMap(childrenOf) : children;
      return workers.length === many;
    });
    return workers;
  }
});
