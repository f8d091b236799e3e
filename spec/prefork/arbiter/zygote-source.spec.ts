// Forked workers and their zygote, as real processes.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { buildNative, loadNative, type Native } from '../../../lib/prefork/index.ts';
import { lives, preforkProcesses, type RealWorker } from '../../support/prefork-processes.ts';

const onLinux = process.platform === 'linux' ? describe : describe.skip;
const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

onLinux('a zygote', () => {
  const processes = preforkProcesses();
  let native: Native;

  beforeAll(async () => {
    await buildNative();
    native = loadNative();
  });

  /** Why it rejects; heard from now on. */
  const failure = (made: Promise<unknown>): Promise<string> =>
    made.then(
      () => 'it was expected to fail',
      (error: Error) => error.message,
    );

  const zygote = (index = 0): number => processes.zygotes[index] as number;

  async function gone(worker: RealWorker): Promise<void> {
    worker.drain(0);
    expect(await worker.exited).toEqual({ code: 0, signal: null });
    await worker.closed;
  }

  test('loads the application once and forks workers that serve and leave', async () => {
    const source = processes.forked(native);
    const workers = await Promise.all([1, 2, 3].map(() => processes.make(source)));
    for (const worker of workers) await worker.says('ready');
    expect(processes.zygotes).toHaveLength(1);
    const pids = workers.map(({ pid }) => pid);
    expect(new Set([...pids, zygote()]).size).toBe(4);
    expect(pids).toContain((await processes.client()).pid);
    expect(workers[0]?.process.inspectable).toBe(false);
    for (const worker of workers) await gone(worker);
    expect(processes.journal().filter((line) => line.startsWith('load'))).toEqual([`load ${zygote()}`]);
    await source.close();
    expect(lives(zygote())).toBe(false);
    expect(processes.lost).toEqual([]);
  });

  test('has before_fork awaited before each fork, and after_fork heard on both sides before the worker serves', async () => {
    const source = processes.forked(native);
    const pids = [];
    for (let times = 0; times < 2; times++) {
      const worker = await processes.make(source);
      await worker.says('ready');
      pids.push(worker.pid);
    }
    const journal = processes.journal();
    expect(journal.slice(0, 3)).toEqual([
      `load ${zygote()}`,
      `before_fork begins ${zygote()}`,
      `before_fork ends ${zygote()}`,
    ]);
    expect(journal.filter((line) => line === `before_fork ends ${zygote()}`)).toHaveLength(2);
    expect(journal.filter((line) => line === `after_fork ${zygote()} false`)).toHaveLength(2);
    for (const pid of pids) {
      const own = journal.filter((line) => line.includes(String(pid)));
      expect(own).toEqual([`after_fork ${pid} true`, `serve ${pid}`]);
    }
    expect(journal).toHaveLength(11);
  });

  test('that is killed leaves its workers serving, and another one is started for the next', async () => {
    const source = processes.forked(native);
    const [one, two] = [await processes.make(source), await processes.make(source)];
    await Promise.all([one.says('ready'), two.says('ready')]);
    process.kill(zygote(), 'SIGKILL');
    while (processes.lost.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const three = await processes.make(source);
    await three.says('ready');
    expect(processes.lost).toEqual([{ pid: zygote(), exit: { code: null, signal: 'SIGKILL' } }]);
    expect(processes.zygotes).toHaveLength(2);
    expect(zygote(1)).not.toBe(zygote());
    expect([one.pid, two.pid, three.pid]).toContain((await processes.client()).pid);
    // Nobody can tell how they end, but that they do.
    one.drain(0);
    expect(await one.exited).toEqual({ code: null, signal: null });
    two.process.kill('SIGKILL');
    expect(await two.exited).toEqual({ code: null, signal: null });
    two.process.kill('SIGKILL');
    await gone(three);
    await source.close();
    expect(lives(zygote(1))).toBe(false);
  });

  test('tells how each of its workers ended', async () => {
    const source = processes.forked(native);
    const workers = await Promise.all([1, 2, 3].map(() => processes.make(source)));
    const [killed, terminated, failed] = workers as [RealWorker, RealWorker, RealWorker];
    for (const worker of workers) await worker.says('ready');
    killed.process.kill('SIGKILL');
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    killed.process.kill('SIGKILL'); // nothing
    terminated.process.kill('SIGTERM');
    expect(await terminated.exited).toEqual({ code: 0, signal: null });
    const client = await processes.client();
    expect(client.pid).toBe(failed.pid);
    void client.tell('throw');
    await failed.says('leaving');
    client.end();
    expect(await failed.exited).toEqual({ code: 1, signal: null });
    expect(lives(zygote())).toBe(true);
  });

  test('tells of a worker that ends at once, also to an arbiter that was busy meanwhile', async () => {
    const source = processes.forked(native, { exitAfterFork: 5 });
    const first = await processes.make(source);
    expect(await first.exited).toEqual({ code: 5, signal: null });
    const making = processes.make(source);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve(); // the order is sent
    const until = Date.now() + 1000;
    while (Date.now() < until); // both messages come at once then
    expect(await (await making).exited).toEqual({ code: 5, signal: null });
  });

  describe('that cannot load the application', () => {
    test('is an error with its stack, nothing is left of it, and the next one is another', async () => {
      const source = processes.forked(native, { load: 'rejects' });
      for (let times = 0; times < 3; times++) {
        await expect(source.make()).rejects.toThrow(/^TypeError: no such module\n {4}at .*prefork-program\.mjs/);
        expect(lives(zygote(times))).toBe(false);
      }
      expect(processes.zygotes).toHaveLength(3);
      expect(processes.lost).toEqual([]); // make() has told why
    });

    test('is an error where it hangs, and it is killed', async () => {
      const source = processes.forked(native, { load: 'hangs' }, 1000);
      await expect(source.make()).rejects.toThrow('the application was not loaded in time');
      expect(lives(zygote())).toBe(false);
    });

    test('is an error where it exits', async () => {
      const source = processes.forked(native, { load: 'exits' });
      await expect(source.make()).rejects.toThrow('the zygote ended (exit code 3)');
    });

    test('is an error where it throws outside of its promise', async () => {
      const source = processes.forked(native, { load: 'throws' });
      await expect(source.make()).rejects.toThrow('nobody catches it');
    });

    test('is an error for all that wait for it', async () => {
      const source = processes.forked(native, { load: 'rejects' });
      const made = await Promise.allSettled([source.make(), source.make(), source.make()]);
      expect(made.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(processes.zygotes).toHaveLength(1);
    });

    test('is ended by the close of its source', async () => {
      const source = processes.forked(native, { load: 'hangs' });
      const failed = failure(source.make());
      while (processes.zygotes.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await source.close();
      expect(await failed).toBe('the zygote ended (SIGKILL)');
      expect(lives(zygote())).toBe(false);
      expect(processes.lost).toEqual([]);
    });

    test('is ended by the close of its source before it has started', async () => {
      const source = processes.forked(native, { load: 'hangs' });
      const failed = failure(source.make());
      await source.close();
      expect(await failed).toBe('stopped before the application was loaded');
      expect(processes.zygotes.filter(lives)).toEqual([]);
    });
  });

  describe('whose application has a connection open', () => {
    let database: Server;
    const peer = (): string => `${processes.path()}.database`;

    beforeEach(async () => {
      database = createServer((socket) => socket.on('error', () => {}));
      await once(database.listen(peer()), 'listening');
    });

    afterEach(() => void database.close());

    test('refuses to fork where it was told to, and says which', async () => {
      const source = processes.forked(native, { forkGuard: 'refuse', load: 'connects', peer: peer() });
      const before = descriptors(process.pid);
      for (let times = 0; times < 2; times++) {
        const message = await failure(source.make());
        expect(message).toMatch(/^The application has opened a connection while it was loaded, before the fork\./);
        expect(message).toContain(`unix:${peer()}`);
        expect(message).toContain('prefork-program.mjs');
      }
      expect(lives(zygote())).toBe(true);
      expect(processes.zygotes).toHaveLength(1);
      await source.close();
      await new Promise((resolve) => setImmediate(resolve));
      expect(descriptors(process.pid)).toBeLessThanOrEqual(before + 1); // the database's end
    });

    test.each(['warn', 'off'] as const)('forks where it was told to %s', async (forkGuard) => {
      const worker = await processes.make(processes.forked(native, { forkGuard, load: 'connects', peer: peer() }));
      expect(await worker.says('ready')).toEqual({ type: 'ready' });
    });
  });

  test('leaves no descriptors, here or in itself, over 30 forks', async () => {
    const source = processes.forked(native);
    const first = await processes.make(source);
    await first.says('ready');
    await gone(first);
    first.process.descriptors?.close();
    const before = [descriptors(process.pid), descriptors(zygote())];
    for (let round = 0; round < 6; round++) {
      const workers = await Promise.all(Array.from({ length: 5 }, () => processes.make(source)));
      for (const worker of workers) {
        await worker.says('ready');
        await gone(worker);
        worker.process.descriptors?.close();
      }
    }
    expect([descriptors(process.pid), descriptors(zygote())]).toEqual(before);
  });
});
