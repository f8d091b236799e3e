// An arbiter and its workers as processes: OS signals, reloads, and what becomes of an application that does not start.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { ask, answersOf, commands, familyOf, isAlive, logLines, until, type Served } from './served.ts';

const command = commands();

async function signalled(served: Served, signal: NodeJS.Signals, workers: number): Promise<number> {
  served.process.signal(signal);
  await until(`${workers} workers after ${signal}`, async () => (await served.pids()).length === workers);
  return (await served.status()).wanted;
}

describe.each(['spawn', 'fork'])('by method %s:', (method) => {
  let names = 0;
  const name = (): string => `${method}-${(names += 1)}.mjs`;
  const simple = (): string => command.write(`${method}.mjs`, '');
  const serve = (module: string, ...args: string[]): Promise<Served> =>
    command.serve(module, ['--method', method, ...args]);

  describe('OS signals', () => {
    test('TERM leaves nothing: no process, socket, pid file or control socket', async () => {
      const pidFile = command.name('.pid');
      const control = command.name('.control');
      const served = await serve(simple(), '--workers', '2', '--pid-file', pidFile, '--control', control);
      const family = familyOf(served.process.pid);
      expect(family).toHaveLength(method === 'fork' ? 4 : 3);
      expect([served.path, pidFile, control].map((path) => existsSync(path))).toEqual([true, true, true]);
      served.process.signal('SIGTERM');
      expect(await served.process.finished).toEqual({ code: 0, signal: null });
      expect(family.filter(isAlive)).toEqual([]);
      expect([served.path, pidFile, control].map((path) => existsSync(path))).toEqual([false, false, false]);
    });

    test.each(['SIGTERM', 'SIGINT'] as const)(
      '%s while a request runs, then TERM, ends at once with 1',
      async (first) => {
        const receiver = 'signals.worker_stopping.connect(() => new Promise(() => {}));';
        const served = await serve(command.write(name(), receiver));
        const family = familyOf(served.process.pid);
        const answer = ask(served.client, '/hold?until=/never').catch((error: unknown) => error);
        await until('a request', async () => (await served.status()).workers[0]?.active === 1);
        served.process.signal(first);
        await served.process.says(new RegExp(`stopping: ${first}`));
        served.process.signal('SIGTERM');
        expect(await served.process.finished).toEqual({ code: 1, signal: null });
        expect(await answer).toBeInstanceOf(Error);
        expect(family.filter(isAlive)).toEqual([]);
      },
    );

    test('HUP serves the code as it is now, by workers of the next generation', async () => {
      const module = name();
      const file = command.write(module, "app.get('/', () => 'one')");
      const served = await serve(file, '--workers', '2');
      expect(await served.ask('/')).toBe('one');
      const before = await served.pids();
      command.write(module, "app.get('/', () => 'two')");
      served.process.signal('SIGHUP');
      await served.process.says(/"msg":"reloaded"/);
      await until('the end of the old workers', async () => (await served.pids()).length === 2);
      expect(await served.ask('/')).toBe('two');
      const { generation, workers } = await served.status();
      expect(generation).toBe(2);
      expect(workers.map((worker) => worker.generation)).toEqual([2, 2]);
      expect(before.filter(isAlive)).toEqual([]);
    });

    test('HUP with code that does not start says why, and the workers there serve on; the next HUP may succeed', async () => {
      const module = name();
      const served = await serve(command.write(module, "app.get('/', () => 'one')"));
      const before = await served.pids();
      command.write(module, "throw new Error('a bad release')");
      served.process.signal('SIGHUP');
      await served.process.says(new RegExp(`not reloaded.*\\n`));
      const line = logLines(served.process.stderr).find(({ msg }) => String(msg).startsWith('not reloaded'));
      expect(line?.['err']).toMatchObject({ message: expect.stringMatching(new RegExp(`bad release[^]*${module}:`)) });
      expect(await served.ask('/')).toBe('one');
      expect(await served.pids()).toEqual(before);
      command.write(module, "app.get('/', () => 'three')");
      served.process.signal('SIGHUP');
      await served.process.says(/"msg":"reloaded"/);
      await until('the end of the old worker', () => !before.some(isAlive));
      expect(await served.ask('/')).toBe('three');
    });

    test('TTIN makes one worker more, TTOU one less, down to one', async () => {
      const served = await serve(simple());
      expect(await signalled(served, 'SIGTTIN', 2)).toBe(2);
      expect(await signalled(served, 'SIGTTIN', 3)).toBe(3);
      expect(await signalled(served, 'SIGTTOU', 2)).toBe(2);
      expect(await signalled(served, 'SIGTTOU', 1)).toBe(1);
      const [last = 0] = await served.pids();
      served.process.signal('SIGTTOU');
      await served.status(); // in the turn of the event loop that hears the OS signal, or an earlier one
      expect(await served.status()).toMatchObject({ wanted: 1, workers: [{ pid: last, state: 'ready' }] });
    });

    test('USR1 goes on in a new log file, as logrotate wants it', async () => {
      const log = command.name('.log');
      const path = command.name('.sock');
      const args = ['serve', simple(), '--method', method, '--listen', `unix:${path}`, '--log-file', log];
      const process = command.start(args);
      await until('its log', () => existsSync(log) && readFileSync(log, 'utf8').includes('"serving '));
      renameSync(log, `${log}.1`);
      process.signal('SIGUSR1');
      await until('a new log file', () => existsSync(log));
      expect(statSync(log).mode & 0o777).toBe(0o640);
      process.signal('SIGTERM');
      expect(await process.finished).toEqual({ code: 0, signal: null });
      expect(readFileSync(`${log}.1`, 'utf8')).not.toContain('stopping');
      expect(readFileSync(log, 'utf8')).toMatch(/"stopping: SIGTERM"[^]*"stopped"/);
      expect(process.stderr).toBe('');
    });

    test('USR1 where the log file cannot be made again: it logs on in the old one, and serves on', async () => {
      const folder = command.name('.logs');
      mkdirSync(folder);
      const log = `${folder}/log`;
      const place = `unix:${command.name('.sock')}`;
      const args = ['serve', simple(), '--method', method, '--listen', place, '--log-file', log];
      const served = command.start(args);
      await until('its log', () => existsSync(log) && readFileSync(log, 'utf8').includes('"serving '));
      renameSync(folder, `${folder}.old`);
      served.signal('SIGUSR1');
      await until('its word', () => readFileSync(`${folder}.old/log`, 'utf8').includes('"not reopened"'));
      served.signal('SIGTERM');
      expect(await served.finished).toEqual({ code: 0, signal: null });
      rmSync(`${folder}.old`, { recursive: true });
    });

    test('a worker that is sent TERM is replaced; INT, QUIT and HUP are not for it', async () => {
      const served = await serve(simple());
      const [worker = 0] = await served.pids();
      for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.kill(worker, signal);
      expect(Number(await served.ask('/pid'))).toBe(worker);
      process.kill(worker, 'SIGTERM');
      await served.process.says(new RegExp(`"worker":${worker},.*a worker is gone: exit code 0`));
      expect(Number(await served.ask('/pid'))).not.toBe(worker);
    });
  });

  test('on TCP with a port of its own choice, which the log tells, all workers answer', async () => {
    const args = ['--method', method, '--workers', '2', '--listen', 'tcp:127.0.0.1:0'];
    const process = command.start(['serve', simple(), ...args]);
    const [, address = ''] = await process.says(/"at":"(tcp:127\.0\.0\.1:\d+)".*"serving /);
    const client = command.client(address);
    const workers = familyOf(process.pid).filter((pid) => /worker/.test(titleOf(pid)));
    expect(workers).toHaveLength(2);
    expect(await answersOf(workers, () => ask(client, '/pid'))).toEqual(workers);
  });

  describe('an application that does not start ends the command with 3, and leaves nothing', () => {
    const start = async (body: string, ...args: string[]): Promise<string> => {
      const path = command.name('.sock');
      const pidFile = command.name('.pid');
      const given = ['--method', method, '--listen', `unix:${path}`, '--pid-file', pidFile, '--workers', '2', ...args];
      const process = command.start(['serve', command.write(name(), body), ...given]);
      expect(await process.finished).toEqual({ code: 3, signal: null });
      expect([path, pidFile].map((file) => existsSync(file))).toEqual([false, false]);
      return process.stderr;
    };

    test('one that throws: its error and where in it', async () => {
      const body = 'function connectDatabase() { throw new TypeError("no database"); }\n connectDatabase();';
      expect(await start(body)).toMatch(/postfork: TypeError: no database\n +at connectDatabase .*\.mjs:\d+/);
    });

    test('one that ends the process while it loads', async () => {
      expect(await start('process.exit(0);')).toMatch(/postfork: .*ended.*exit code 0/);
    });

    test('one that waits for what cannot come, at once', async () => {
      expect(await start('await new Promise(() => {});')).toMatch(/^postfork: .* waits for what never comes, .*$/m);
    });

    test('one that is killed while it loads', async () => {
      expect(await start("process.kill(process.pid, 'SIGKILL'); await delay(10_000);")).toMatch(
        /postfork: .*ended.*SIGKILL/,
      );
    });

    test.each([
      ['waits for ever', 'await new Promise(() => setInterval(() => {}, 1000));'],
      ['never turns its event loop', 'for (;;);'],
    ])('one that %s, after --boot-timeout', async (_what, body) => {
      expect(await start(body, '--boot-timeout', '1000')).toMatch(/postfork: .*(within 1000 ms|in time)/);
    });
  });
});

function titleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}
