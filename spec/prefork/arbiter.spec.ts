// The arbiter, with workers that do what each test says, and a clock that goes when it is told to.

import { availableParallelism } from 'node:os';
import { Arbiter, BootError, type ArbiterOptions, type WorkerProcess } from '../../lib/prefork/index.ts';
import {
  failsToBoot,
  hangs,
  ScriptedSource,
  serves,
  stays,
  type Behaviour,
  type ScriptedWorker,
} from '../support/scripted-source.ts';

const AT_ONCE = Math.max(2, availableParallelism());
const BOOT = 10_000;
const WORKER = 5000;
const STOP = 8000;
const KILLED = { code: null, signal: 'SIGKILL' };

interface Line {
  level: string;
  fields: Record<string, unknown>;
  message: string;
}

describe('the arbiter', () => {
  let sources: ScriptedSource[];
  let behaviours: Behaviour[]; // of the generations to come; the last one goes on
  let lines: Line[];
  let arbiter: Arbiter;
  let asleep: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date'] });
    const now = performance.now.bind(performance);
    asleep = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now() + asleep);
    sources = [];
    behaviours = [serves];
    lines = [];
  });

  afterEach(async () => {
    for (const worker of workers()) worker.onKill = (signal) => worker.end({ code: null, signal });
    const stopped = arbiter.stop(0);
    await pass(15_000);
    await stopped;
    const timers = jest.getTimerCount();
    jest.restoreAllMocks();
    jest.useRealTimers();
    if (timers > 0) throw new Error(`${timers} timers are left`);
  });

  /** Let everything happen that needs no time. */
  async function settle(): Promise<void> {
    for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      await jest.advanceTimersByTimeAsync(Math.min(250, ms - passed));
      await settle();
    }
  }

  function make(workers: number, options: Partial<ArbiterOptions> = {}): Arbiter {
    const log = (level: string) => (fields: object, message: string) =>
      void lines.push({ level, fields: fields as Record<string, unknown>, message });
    arbiter = new Arbiter({
      scaling: { kind: 'static', workers },
      source: () => {
        const next = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
        const source = new ScriptedSource(next);
        sources.push(source);
        return source;
      },
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      onWorker: () => {},
      bootTimeout: BOOT,
      workerTimeout: WORKER,
      stopTimeout: STOP,
      ...options,
    });
    return arbiter;
  }

  async function started(workers: number, options: Partial<ArbiterOptions> = {}): Promise<ScriptedSource> {
    const start = make(workers, options).start();
    await settle();
    await start;
    return source(0);
  }

  const source = (index: number): ScriptedSource => sources[index] as ScriptedSource;
  const workers = (): ScriptedWorker[] => sources.flatMap(({ workers }) => workers);
  const running = (): ScriptedWorker[] => workers().filter(({ running }) => running);
  const states = (): string[] => arbiter.status().workers.map(({ state }) => state);
  const logged = (level: string): string[] =>
    lines.filter((line) => line.level === level).map(({ message }) => message);

  /** Time goes by in which workers that serve say so. */
  async function live(ms: number, ...alive: ScriptedWorker[]): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      for (const worker of alive.length > 0 ? alive : running()) worker.load(0);
      await settle();
      await pass(Math.min(1000, ms - passed));
    }
  }

  /** How a promise ended, or that it has not. */
  async function outcome(promise: Promise<unknown>): Promise<unknown> {
    let is: unknown = 'pending';
    promise.then(
      () => (is = 'done'),
      (error: unknown) => (is = error),
    );
    await settle();
    return is;
  }

  /** Why it rejects. */
  function failure(promise: Promise<unknown>): Promise<unknown> {
    return promise.then(
      () => {
        throw new Error('it was expected to fail');
      },
      (error: unknown) => error,
    );
  }

  describe('starts', () => {
    test('and is done when all workers are ready', async () => {
      behaviours = [hangs];
      const start = make(2).start();
      expect(await outcome(start)).toBe('pending');
      expect(arbiter.status()).toMatchObject({ state: 'starting', generation: 0, wanted: 2 });
      expect(states()).toEqual(['booting', 'booting']);
      source(0).workers[0]?.ready();
      expect(await outcome(start)).toBe('pending');
      source(0).workers[1]?.ready();
      expect(await outcome(start)).toBe('done');
      expect(arbiter.status()).toMatchObject({ state: 'running', generation: 1, wanted: 2, pid: process.pid });
      expect(states()).toEqual(['ready', 'ready']);
      expect(logged('info')).toEqual([
        expect.stringMatching(/^a worker is ready after \d+ ms$/),
        expect.stringMatching(/^a worker is ready/),
      ]);
    });

    test(`with ${AT_ONCE} workers at a time, each after one that is ready`, async () => {
      behaviours = [hangs];
      const start = make(AT_ONCE + 2).start();
      await settle();
      for (let ready = 0; ready < AT_ONCE + 2; ready++) {
        expect(source(0).workers).toHaveLength(Math.min(AT_ONCE + 2, AT_ONCE + ready));
        source(0).workers[ready]?.ready();
        await settle();
      }
      await start;
      await pass(1000);
      expect(source(0).workers).toHaveLength(AT_ONCE + 2);
    });

    test('not where a worker fails: with its own words, and nothing is left', async () => {
      behaviours = [hangs];
      const start = make(2).start();
      const failed = failure(start);
      await settle();
      failsToBoot('SyntaxError: in app.mjs')(source(0).workers[1] as ScriptedWorker);
      const error = (await failed) as BootError;
      expect(error).toBeInstanceOf(BootError);
      expect(error.name).toBe('BootError');
      expect(error.message).toBe('SyntaxError: in app.mjs');
      await settle();
      expect(source(0).workers[0]?.exit).toEqual(KILLED);
      expect(source(0).made).toBe(2); // no more are tried
      expect(source(0).closed).toBe(1);
      expect(arbiter.status().workers).toEqual([]);
    });

    test.each([
      [{ code: 3, signal: null }, 'exit code 3'],
      [{ code: null, signal: 'SIGSEGV' }, 'signal SIGSEGV'],
      [{ code: null, signal: null }, 'nobody knows how'],
    ])('not where a worker ends without a word: %j', async (exit, how) => {
      behaviours = [(worker) => worker.end(exit)];
      expect(await failure(make(1).start())).toMatchObject({ message: `a worker ended before it was ready: ${how}` });
    });

    test('not where a worker leaves before it is ready, as at SIGTERM', async () => {
      behaviours = [
        (worker) => {
          worker.say({ type: 'leaving' });
          worker.end({ code: 0, signal: null });
        },
      ];
      expect(await failure(make(1).start())).toMatchObject({
        message: 'a worker ended before it was ready: exit code 0',
      });
      expect(source(0).made).toBe(1);
    });

    test('not where a worker dies right after it was ready', async () => {
      behaviours = [hangs];
      const start = make(2).start();
      const failed = failure(start);
      await settle();
      source(0).workers[0]?.ready();
      source(0).workers[0]?.end({ code: 7, signal: null });
      expect(await failed).toMatchObject({ name: 'BootError', message: 'a worker died early: exit code 7' });
      await settle();
      expect(source(0).made).toBe(2);
      expect(running()).toEqual([]);
    });

    test('not where a worker hangs: it is killed at the deadline', async () => {
      behaviours = [hangs];
      const start = make(1).start();
      const failed = failure(start);
      await pass(BOOT);
      expect(source(0).workers[0]?.kills).toEqual([]);
      await pass(500);
      expect(source(0).workers[0]?.kills).toEqual(['SIGKILL']);
      await expect(start).rejects.toThrow(`it did not start within ${BOOT} ms`);
      await failed;
    });

    test('not where a worker cannot be made', async () => {
      const cause = new Error('spawn EAGAIN');
      const source = new ScriptedSource();
      source.before = () => Promise.reject(cause);
      const start = make(3, { source: () => source }).start();
      expect(await failure(start)).toMatchObject({ name: 'BootError', message: 'spawn EAGAIN', cause });
      await settle();
      expect(source).toMatchObject({ made: Math.min(3, AT_ONCE), closed: 1 });
    });

    test('not where the scaling contradicts itself', () => {
      expect(() =>
        make(0, { scaling: { kind: 'dynamic', workers: 1, minSpare: 3, maxSpare: 2, maxWorkers: 9 } }),
      ).toThrow(RangeError);
      make(1);
    });
  });

  describe('replaces', () => {
    test.each([
      [{ code: 1, signal: null }, 'exit code 1'],
      [{ code: 0, signal: null }, 'exit code 0'],
      [{ code: null, signal: 'SIGKILL' }, 'signal SIGKILL'],
    ])('a worker that dies, at once: %j', async (exit, how) => {
      await started(2);
      source(0).workers[0]?.load(3);
      await settle();
      source(0).workers[0]?.end(exit);
      await settle();
      expect(source(0).made).toBe(3);
      expect(states()).toEqual(['ready', 'ready']);
      expect(lines).toContainEqual({
        level: 'error',
        fields: { worker: source(0).workers[0]?.pid, generation: 1, active: 3 },
        message: `a worker died after 0 s: ${how}`,
      });
    });

    test('a worker that leaves by itself before it is gone', async () => {
      await started(1);
      const leaving = source(0).workers[0] as ScriptedWorker;
      leaving.say({ type: 'leaving' });
      await settle();
      expect(states()).toEqual(['draining', 'ready']);
      leaving.end({ code: 0, signal: null });
      await settle();
      expect(states()).toEqual(['ready']);
      expect(logged('error')).toEqual([]);
    });

    test('a worker that says it leaves and does not, and kills it after its time', async () => {
      await started(1);
      const leaving = source(0).workers[0] as ScriptedWorker;
      leaving.say({ type: 'leaving' });
      await live(STOP + 11_000);
      expect(leaving.running).toBe(true);
      await live(2000);
      expect(leaving.exit).toEqual(KILLED);
      expect(logged('error')).toEqual(['a worker that should leave does not: killed']);
    });

    test('a worn worker when its successor is ready, not before', async () => {
      await started(1);
      const worn = source(0).workers[0] as ScriptedWorker;
      source(0).behaviour = hangs;
      worn.say({ type: 'worn' });
      worn.say({ type: 'worn' });
      await pass(1000);
      expect(source(0).made).toBe(2);
      expect(worn.orders).toEqual([]);
      expect(states()).toEqual(['ready', 'booting']);
      source(0).workers[1]?.ready();
      await settle();
      expect(worn.orders).toEqual([{ type: 'drain', timeout: STOP, handOver: true }]);
      expect(states()).toEqual(['ready']);
      expect(source(0).made).toBe(2);
    });

    test('all workers that are worn at once, with never fewer that serve', async () => {
      await started(3);
      const before = [...source(0).workers];
      let fewest = 3;
      source(0).behaviour = (worker) => {
        fewest = Math.min(fewest, states().filter((state) => state === 'ready').length);
        worker.ready();
      };
      for (const worker of before) worker.say({ type: 'worn' });
      await pass(1000);
      expect(before.map(({ running }) => running)).toEqual([false, false, false]);
      expect(states()).toEqual(['ready', 'ready', 'ready']);
      expect(fewest).toBe(3);
    });

    test('a worker whose channel has ended: it is killed two seconds later', async () => {
      await started(1);
      const mute = source(0).workers[0] as ScriptedWorker;
      mute.channel.push(null);
      await pass(1750);
      expect(mute.running).toBe(true);
      await pass(500);
      expect(mute.exit).toEqual(KILLED);
      expect(source(0).made).toBe(2);
    });

    test('also after a drain, which nobody can tell it', async () => {
      await started(1);
      const mute = source(0).workers[0] as ScriptedWorker;
      mute.onOrder = () => {};
      mute.channel.push(null);
      await settle();
      void arbiter.stop(STOP);
      await pass(2500);
      expect(mute.exit).toEqual(KILLED);
    });
  });

  describe('backs off', () => {
    test('where workers do not boot later: after 1, 2, 4 ... seconds, and says when', async () => {
      const only = await started(1);
      only.behaviour = failsToBoot('no database');
      only.workers[0]?.end({ code: 1, signal: null });
      await settle();
      expect(only.made).toBe(2);
      await pass(750);
      expect(only.made).toBe(2);
      await pass(500);
      expect(only.made).toBe(3);
      await pass(1500);
      expect(only.made).toBe(3);
      await pass(500);
      expect(only.made).toBe(4);
      expect(logged('error').slice(1)).toEqual([
        'a worker did not start, next try in 1 s: no database',
        'a worker did not start, next try in 2 s: no database',
        'a worker did not start, next try in 4 s: no database',
      ]);
      only.behaviour = serves;
      await pass(4250);
      expect(states()).toEqual(['ready']);
    });

    test('where workers cannot be made later', async () => {
      const only = await started(1);
      only.before = () => Promise.reject(new Error('spawn ENOMEM'));
      only.workers[0]?.end({ code: 1, signal: null });
      await settle();
      expect(only.made).toBe(2);
      expect(logged('error')).toContain('a worker did not start, next try in 1 s: spawn ENOMEM');
      only.before = async () => {};
      await pass(1250);
      expect(states()).toEqual(['ready']);
    });

    test('after five crashes in a row, but not where they were killed', async () => {
      const only = await started(1);
      for (let death = 1; death <= 5; death++) {
        only.running[0]?.end({ code: 1, signal: null });
        await settle();
        expect(only.made).toBe(1 + death);
      }
      for (let death = 1; death <= 5; death++) {
        only.running[0]?.end({ code: null, signal: 'SIGKILL' });
        await settle();
        expect(only.made).toBe(6 + death);
      }
      only.running[0]?.end({ code: 1, signal: null });
      await settle();
      expect(only.made).toBe(11);
      await pass(1250);
      expect(only.made).toBe(12);
    });

    test('until somebody reloads or resizes', async () => {
      const only = await started(1);
      only.behaviour = failsToBoot('no database');
      only.workers[0]?.end({ code: 1, signal: null });
      await pass(3500);
      expect(only.made).toBe(4);
      only.behaviour = serves;
      arbiter.resize(1);
      await settle();
      expect(states()).toEqual(['ready', 'ready']);
    });
  });

  describe('reloads', () => {
    test('and drains the old workers only when all new ones are ready', async () => {
      behaviours = [serves, hangs];
      await started(2);
      const reload = arbiter.reload();
      await settle();
      const [one, two] = source(1).workers;
      one?.ready();
      expect(await outcome(reload)).toBe('pending');
      expect(arbiter.status()).toMatchObject({ state: 'reloading', generation: 1 });
      expect(source(0).workers.flatMap(({ orders }) => orders)).toEqual([]);
      two?.ready();
      expect(await outcome(reload)).toBe('done');
      expect(source(0).workers.map(({ orders }) => orders)).toEqual([
        [{ type: 'drain', timeout: STOP, handOver: true }],
        [{ type: 'drain', timeout: STOP, handOver: true }],
      ]);
      expect(source(0).closed).toBe(1);
      expect(source(1).closed).toBe(0);
      expect(arbiter.status()).toMatchObject({ state: 'running', generation: 2 });
      expect(arbiter.status().workers.map(({ generation }) => generation)).toEqual([2, 2]);
    });

    test('and keeps the old source until its last worker is gone', async () => {
      behaviours = [stays, serves];
      await started(2);
      await arbiter.reload();
      expect(states()).toEqual(['draining', 'draining', 'ready', 'ready']);
      source(0).workers[0]?.end({ code: 0, signal: null });
      await settle();
      expect(source(0).closed).toBe(0);
      source(0).workers[1]?.end({ code: 1, signal: null }); // no crash to care about
      await settle();
      expect(source(0).closed).toBe(1);
      expect(logged('error')).toEqual([]);
      expect(source(1).made).toBe(2);
    });

    test('not where the new workers fail: the old ones serve on, and those that were ready finish their requests', async () => {
      behaviours = [serves, hangs, serves];
      await started(2);
      const reload = arbiter.reload();
      const failed = failure(reload);
      await settle();
      const [ready, failing] = source(1).workers as [ScriptedWorker, ScriptedWorker];
      ready.ready();
      ready.load(1);
      await settle();
      failsToBoot('TypeError: x is not a function')(failing);
      expect(await failed).toMatchObject({ name: 'BootError', message: 'TypeError: x is not a function' });
      expect(ready.orders).toEqual([{ type: 'drain', timeout: STOP, handOver: false }]);
      await settle();
      expect(source(1).closed).toBe(1);
      expect(source(1).made).toBe(2);
      expect(source(0).workers.flatMap(({ orders, kills }) => [...orders, ...kills])).toEqual([]);
      expect(arbiter.status()).toMatchObject({ state: 'running', generation: 1 });
      await arbiter.reload(); // the next one may be right
      expect(arbiter.status()).toMatchObject({ state: 'running', generation: 3 });
    });

    test('not where there is no source: that is its error', async () => {
      let broken = false;
      await started(1, {
        source: () => {
          if (broken) throw new Error('no such folder');
          sources.push(new ScriptedSource());
          return source(0);
        },
      });
      broken = true;
      await expect(arbiter.reload()).rejects.toThrow('no such folder');
      broken = false;
      expect(arbiter.status().state).toBe('running');
      await arbiter.reload();
    });

    test('at most twice for 25 calls', async () => {
      behaviours = [serves, hangs];
      await started(1);
      const reloads = Array.from({ length: 25 }, () => arbiter.reload());
      await settle();
      expect(sources).toHaveLength(2);
      source(1).workers[0]?.ready();
      await settle();
      expect(sources).toHaveLength(3);
      expect(await outcome(reloads[0] as Promise<void>)).toBe('done');
      expect(await outcome(reloads[1] as Promise<void>)).toBe('pending'); // its code is in the second
      source(2).workers[0]?.ready();
      await Promise.all(reloads);
      await pass(1000);
      expect(sources).toHaveLength(3);
      expect(states()).toEqual(['ready']);
    });

    test('once more where the first of two fails', async () => {
      behaviours = [serves, failsToBoot('half a file'), serves];
      await started(1);
      const [first, second] = [failure(arbiter.reload()), arbiter.reload()];
      expect(await first).toMatchObject({ message: 'half a file' });
      await second;
      expect(arbiter.status()).toMatchObject({ generation: 3, state: 'running' });
    });

    test('after the start, where it is asked to meanwhile', async () => {
      behaviours = [hangs, serves];
      const start = make(1).start();
      const reload = arbiter.reload();
      await settle();
      expect(sources).toHaveLength(1);
      source(0).workers[0]?.ready();
      await start;
      await reload;
      await settle();
      expect(arbiter.status().workers.map(({ generation }) => generation)).toEqual([2]);
    });

    test('not before the start, nor after one that has failed', async () => {
      behaviours = [failsToBoot('a typo'), serves];
      await make(1).reload();
      const failed = failure(arbiter.start());
      const reload = arbiter.reload();
      expect(await failed).toMatchObject({ message: 'a typo' });
      await reload;
      expect(sources).toHaveLength(1);
    });

    test('with as many workers as serve, where these are more than at the start', async () => {
      await started(1, { scaling: { kind: 'dynamic', workers: 1, minSpare: 1, maxSpare: 3, maxWorkers: 4 } });
      for (let workers = 1; workers < 4; workers++) {
        for (const worker of running()) worker.load(1);
        await pass(500);
      }
      expect(states()).toHaveLength(4);
      await arbiter.reload();
      expect(source(1).workers).toHaveLength(4);
    });
  });

  describe('stops', () => {
    test('when its workers have left, each told how long it has', async () => {
      behaviours = [stays];
      await started(2);
      const stop = arbiter.stop(3000);
      expect(await outcome(stop)).toBe('pending');
      expect(arbiter.status()).toMatchObject({ state: 'stopping' });
      expect(workers().map(({ orders }) => orders)).toEqual([
        [{ type: 'drain', timeout: 3000, handOver: false }],
        [{ type: 'drain', timeout: 3000, handOver: false }],
      ]);
      for (const worker of workers()) worker.end({ code: 0, signal: null });
      expect(await outcome(stop)).toBe('done');
      expect(source(0).closed).toBe(1);
      expect(source(0).made).toBe(2);
    });

    test('during the start, which rejects', async () => {
      behaviours = [hangs];
      const start = failure(make(2).start());
      await settle();
      const stop = arbiter.stop(STOP);
      expect(await start).toMatchObject({ name: 'BootError', message: 'stopped before the workers were ready' });
      expect(await outcome(stop)).toBe('done');
      expect(workers().map(({ exit }) => exit)).toEqual([KILLED, KILLED]);
      expect(source(0).made).toBe(2);
    });

    test('during a reload: no request in flight in either generation is cut', async () => {
      behaviours = [stays, stays];
      await started(2);
      behaviours = [hangs];
      const reload = failure(arbiter.reload());
      await settle();
      const [ready, booting] = source(1).workers as [ScriptedWorker, ScriptedWorker];
      ready.onOrder = () => {};
      ready.ready();
      await settle();
      const stop = arbiter.stop(STOP);
      expect(await reload).toMatchObject({ message: 'stopped before the workers were ready' });
      expect(booting.exit).toEqual(KILLED);
      for (const worker of [ready, ...source(0).workers]) {
        expect(worker.orders.map(({ timeout }) => timeout)).toEqual([STOP]);
        worker.end({ code: 0, signal: null });
      }
      expect(await outcome(stop)).toBe('done');
      await arbiter.reload(); // nothing
      expect(sources).toHaveLength(2);
    });

    test('without the reload that was still to come', async () => {
      await started(1);
      behaviours = [hangs];
      const first = failure(arbiter.reload());
      const second = arbiter.reload();
      await arbiter.stop(0);
      await first;
      await second;
      expect(sources).toHaveLength(2);
      expect(running()).toEqual([]);
    });

    test('faster where it is told a second time, and at once at the third', async () => {
      behaviours = [stays];
      await started(1);
      const stop = arbiter.stop(STOP);
      await live(1000);
      expect(arbiter.stop(0)).toBe(stop);
      await settle();
      expect(workers()[0]?.orders).toEqual([
        { type: 'drain', timeout: STOP, handOver: false },
        { type: 'drain', timeout: 0, handOver: false },
      ]);
      expect(workers()[0]?.running).toBe(true);
      void arbiter.stop(0);
      expect(workers()[0]?.exit).toEqual(KILLED);
      await stop;
    });

    test('by force twelve seconds after its time, which the second call has shortened', async () => {
      behaviours = [stays];
      await started(1);
      void arbiter.stop(STOP);
      await live(1000);
      void arbiter.stop(0);
      await live(12_000);
      expect(workers()[0]?.running).toBe(true);
      await live(500);
      expect(workers()[0]?.exit).toEqual(KILLED);
    });

    test('not later where it is told a second time with more time', async () => {
      behaviours = [stays];
      await started(1);
      void arbiter.stop(0);
      await live(1000);
      void arbiter.stop(60_000);
      await live(11_500);
      expect(workers()[0]?.exit).toEqual(KILLED);
    });

    test('by force where workers do not leave', async () => {
      behaviours = [stays];
      await started(2);
      const stop = arbiter.stop(STOP);
      await live(STOP + 11_500);
      expect(await outcome(stop)).toBe('pending');
      await live(1000);
      expect(await outcome(stop)).toBe('done');
      expect(logged('error')).toEqual([
        'a worker that should leave does not: killed',
        'a worker that should leave does not: killed',
      ]);
    });

    test('where workers die instead of leaving, without new ones', async () => {
      behaviours = [stays];
      await started(2);
      const stop = arbiter.stop(STOP);
      await settle();
      for (const worker of workers()) worker.end({ code: 1, signal: null });
      expect(await outcome(stop)).toBe('done');
      expect(source(0).made).toBe(2);
    });

    test('before the start', async () => {
      make(1);
      expect(await outcome(arbiter.stop(1000))).toBe('done');
    });

    test('when its source is closed', async () => {
      let close: (() => void) | undefined;
      await started(1, {
        source: () => {
          const source = new ScriptedSource();
          sources.push(source);
          source.close = () => new Promise((resolve) => (close = resolve));
          return source;
        },
      });
      const stop = arbiter.stop(0);
      expect(await outcome(stop)).toBe('pending');
      close?.();
      expect(await outcome(stop)).toBe('done');
    });
  });

  describe('a source that makes workers slowly', () => {
    test('is closed where it is not needed any more, which may end the making', async () => {
      let give: (() => void) | undefined;
      let fail: ((error: Error) => void) | undefined;
      const slow = new ScriptedSource();
      slow.before = () => new Promise<void>((resolve, reject) => ([give, fail] = [resolve, reject]));
      make(1, { source: () => (sources.push(slow), slow) });
      const start = failure(arbiter.start());
      await settle();
      const stop = arbiter.stop(STOP);
      await settle();
      expect(slow.closed).toBe(1);
      fail?.(new Error('closed'));
      expect(await outcome(stop)).toBe('done');
      expect(await start).toMatchObject({ message: 'stopped before the workers were ready' });
      expect(slow).toMatchObject({ made: 1, closed: 1 });
      expect(give).toBeDefined();
    });

    test('has a worker killed that comes when its generation has gone', async () => {
      let give: (() => void) | undefined;
      const slow = new ScriptedSource();
      slow.before = () => new Promise<void>((resolve) => (give = resolve));
      make(1, { source: () => (sources.push(slow), slow) });
      void outcome(arbiter.start());
      await settle();
      const stop = arbiter.stop(STOP);
      expect(await outcome(stop)).toBe('pending');
      give?.();
      expect(await outcome(stop)).toBe('done');
      expect(slow.workers[0]?.exit).toEqual(KILLED);
      expect(logged('error')).toEqual([]);
    });
  });

  describe('a worker whose event loop is blocked', () => {
    test('is replaced at once, asked for its stack, and killed', async () => {
      let tell: ((stack: string) => void) | undefined;
      const asked: WorkerProcess[] = [];
      await started(2, {
        stackOf: (process) => {
          asked.push(process);
          return new Promise((resolve) => (tell = resolve));
        },
      });
      const [blocked, healthy] = source(0).workers as [ScriptedWorker, ScriptedWorker];
      blocked.load(4);
      await live(WORKER, healthy);
      expect(asked).toEqual([]);
      await live(1000, healthy);
      expect(asked).toEqual([blocked]);
      expect(states()).toEqual(['draining', 'ready', 'ready']);
      blocked.load(4); // too late
      await live(2000, healthy, source(0).workers[2] as ScriptedWorker);
      expect(asked).toHaveLength(1);
      expect(blocked.running).toBe(true);
      tell?.('    at forever (app.mjs:1:1)');
      await settle();
      expect(blocked.exit).toEqual(KILLED);
      expect(lines.filter(({ level }) => level === 'error')).toEqual([
        {
          level: 'error',
          fields: { worker: blocked.pid, active: 4, stack: '    at forever (app.mjs:1:1)' },
          message: "a worker's event loop has not turned for 5 s: killed",
        },
      ]);
      expect(source(0).made).toBe(3);
    });

    test.each([
      ['is not known', async () => undefined],
      ['cannot be had', () => Promise.reject(new Error('no inspector'))],
      ['is not asked for', undefined],
    ])('is killed where its stack %s', async (_, stackOf) => {
      await started(1, stackOf === undefined ? {} : { stackOf });
      await pass(WORKER + 500);
      expect(workers()[0]?.exit).toEqual(KILLED);
      expect(lines.find(({ level }) => level === 'error')?.fields).toEqual({ worker: workers()[0]?.pid, active: 0 });
      expect(states()).toEqual(['ready']);
    });

    test('is killed too where it drains', async () => {
      behaviours = [stays];
      await started(1);
      void arbiter.stop(600_000);
      await live(10_000);
      expect(workers()[0]?.running).toBe(true);
      await pass(WORKER + 500);
      expect(workers()[0]?.exit).toEqual(KILLED);
      expect(logged('error')).toEqual(["a worker's event loop has not turned for 5 s: killed"]);
    });

    test('is one that has been silent for so long while it booted only at the end of that', async () => {
      behaviours = [hangs];
      void outcome(make(1).start());
      await pass(WORKER + 1000);
      expect(workers()[0]?.kills).toEqual([]);
    });

    test('is not seen where nonsense comes from it: its loop turns', async () => {
      await started(1);
      for (let second = 0; second < 10; second++) {
        workers()[0]?.say('{]');
        await pass(1000);
      }
      expect(workers()).toHaveLength(1);
    });
  });

  test('that was stopped itself kills nobody when it goes on', async () => {
    behaviours = [serves, hangs];
    await started(2);
    void outcome(arbiter.reload());
    await settle();
    asleep = 3_600_000;
    await pass(1000);
    expect(workers().flatMap(({ kills }) => kills)).toEqual([]);
    expect(logged('error')).toEqual([]);
    await live(4000, ...source(0).workers);
    expect(workers().flatMap(({ kills }) => kills)).toEqual([]);
    await live(BOOT, ...source(0).workers); // and deadlines hold from then on
    expect(source(1).workers.map(({ exit }) => exit)).toEqual([KILLED, KILLED]);
  });

  describe('on demand', () => {
    let waiting: (() => void)[];

    async function onDemand(maxWorkers = 3): Promise<ScriptedSource> {
      waiting = [];
      return started(0, {
        scaling: { kind: 'ondemand', maxWorkers, idleTimeout: 3000 },
        onWaiting: (callback) => void waiting.push(callback),
      });
    }

    test('has none after a while without requests, and one when somebody waits', async () => {
      const only = await onDemand();
      expect(states()).toEqual(['ready']);
      expect(waiting).toHaveLength(0);
      await live(4000);
      expect(only.workers[0]?.orders).toEqual([{ type: 'drain', timeout: STOP, handOver: false }]);
      expect(arbiter.status()).toMatchObject({ state: 'running', wanted: 0, workers: [] });
      await live(5000);
      expect(waiting).toHaveLength(1); // not asked twice
      waiting[0]?.();
      await settle();
      expect(arbiter.status()).toMatchObject({ wanted: 1 });
      expect(states()).toEqual(['ready']);
      await live(4000);
      expect(states()).toEqual([]);
      expect(waiting).toHaveLength(2);
    });

    test('has one more while all are busy, up to its limit', async () => {
      const only = await onDemand();
      for (let second = 0; second < 5; second++) {
        for (const worker of only.running) worker.load(1, second);
        await settle();
        await pass(1000);
      }
      expect(states()).toEqual(['ready', 'ready', 'ready']);
      for (const worker of only.running) worker.load(0, 100);
      await live(4000);
      expect(states()).toEqual([]);
    });

    test('a worker that dies is not replaced before somebody waits', async () => {
      const only = await onDemand();
      await live(3500);
      await settle();
      expect(states()).toEqual([]);
      waiting[0]?.();
      await settle();
      only.behaviour = failsToBoot('no database');
      only.running[0]?.end({ code: 1, signal: null });
      await pass(500);
      expect(states()).toEqual([]);
      expect(waiting).toHaveLength(2);
    });

    test('a reload without workers shows that the new code starts, and leaves none', async () => {
      await onDemand();
      await live(4000);
      await arbiter.reload();
      await settle();
      expect(arbiter.status()).toMatchObject({ generation: 2, wanted: 0, workers: [] });
      behaviours = [failsToBoot('a typo')];
      await expect(arbiter.reload()).rejects.toThrow('a typo');
    });

    test('wakes nobody once it stops', async () => {
      const only = await onDemand();
      await live(4000);
      await arbiter.stop(0);
      waiting[0]?.();
      await settle();
      expect(only.made).toBe(1);
    });
  });

  describe('dynamic', () => {
    test('grows with the load up to its limit and shrinks to what it spares', async () => {
      const only = await started(2, {
        scaling: { kind: 'dynamic', workers: 2, minSpare: 1, maxSpare: 2, maxWorkers: 6 },
      });
      for (let second = 1; second <= 8; second++) {
        for (const worker of only.running) worker.load(1, second);
        await settle();
        await pass(1000);
        expect(states().length).toBeLessThanOrEqual(6);
      }
      expect(states()).toHaveLength(6);
      const [first] = only.running as [ScriptedWorker];
      for (let second = 0; second < 4; second++) {
        for (const worker of only.running) worker.load(worker === first ? 1 : 0, 99);
        await settle();
        await pass(1000);
      }
      expect(states()).toHaveLength(3); // one at work and two to spare
      expect(first.running).toBe(true);
      expect(logged('error')).toEqual([]);
    });

    test('rests where the load does not change', async () => {
      const only = await started(3, {
        scaling: { kind: 'dynamic', workers: 3, minSpare: 1, maxSpare: 1, maxWorkers: 6 },
      });
      const [a, b] = only.workers as [ScriptedWorker, ScriptedWorker];
      for (let second = 0; second < 10; second++) {
        for (const worker of only.running) worker.load(worker === a || worker === b ? 1 : 0, second);
        await settle();
        await pass(1000);
      }
      expect(only.made).toBe(3);
      expect(states()).toHaveLength(3);
    });
  });

  test('has one worker more or less as it is told, never none', async () => {
    await started(2);
    arbiter.resize(1);
    await settle();
    expect(states()).toHaveLength(3);
    workers()[1]?.load(1);
    await settle();
    for (let times = 0; times < 5; times++) arbiter.resize(-1);
    await settle();
    expect(states()).toHaveLength(1);
    expect(workers()[1]?.running).toBe(true); // the one with a request
    expect(arbiter.status().wanted).toBe(1);
  });

  test('tells what its workers do', async () => {
    await started(1);
    const [worker] = workers() as [ScriptedWorker];
    worker.say({ type: 'load', load: { active: 2, connections: 3, served: 40, rss: 50_000_000 } });
    await settle();
    await live(0);
    await pass(3000);
    expect(arbiter.status()).toEqual({
      pid: process.pid,
      state: 'running',
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      generation: 1,
      wanted: 1,
      workers: [
        {
          pid: worker.pid,
          generation: 1,
          state: 'ready',
          requests: 40,
          active: 2,
          connections: 3,
          rss: 50_000_000,
          age: 3,
        },
      ],
    });
  });

  describe('a hostile worker', () => {
    test('that says it is ready twice counts once', async () => {
      behaviours = [hangs];
      const start = make(2).start();
      await settle();
      const [one, two] = workers() as [ScriptedWorker, ScriptedWorker];
      one.ready();
      one.ready();
      one.ready();
      expect(await outcome(start)).toBe('pending');
      two.ready();
      await start;
      expect(logged('info')).toHaveLength(2);
      one.onOrder = () => one.ready(); // not even while it drains
      void arbiter.stop(STOP);
      await settle();
      expect(states()).toEqual(['draining']);
    });

    test('that says all kinds of things while it boots is still booting', async () => {
      behaviours = [hangs];
      const start = make(1).start();
      await settle();
      const [worker] = workers() as [ScriptedWorker];
      worker.load(5, 6);
      worker.say({ type: 'worn' });
      worker.say({ type: 'leaving' });
      worker.say({ type: 'drain', timeout: 0 });
      worker.say('null');
      worker.say('["ready"]');
      worker.say('{"type":"__proto__"}');
      worker.say({ type: 'load', load: null });
      expect(await outcome(start)).toBe('pending');
      expect(states()).toEqual(['booting']);
      const failed = failure(start);
      worker.end({ code: 0, signal: null });
      expect(await failed).toMatchObject({ message: 'a worker ended before it was ready: exit code 0' });
    });

    test('that lies about its load changes nothing but what is shown of it', async () => {
      await started(1);
      const [worker] = workers() as [ScriptedWorker];
      worker.say(
        '{"type":"load","load":{"active":-1,"connections":1e308,"served":"7","rss":null,"__proto__":{"x":1}}}',
      );
      worker.say({ type: 'failed', message: 'not really' });
      await pass(500);
      expect(arbiter.status().workers).toMatchObject([
        { active: 0, connections: 0, requests: 0, rss: 0, state: 'ready' },
      ]);
      expect(workers()).toHaveLength(1);
    });

    test('that sends a line without an end is killed', async () => {
      await started(1);
      const [worker] = workers() as [ScriptedWorker];
      for (let chunk = 0; chunk < 3; chunk++) worker.channel.push('x'.repeat(50_000));
      await pass(2500);
      expect(worker.exit).toEqual(KILLED);
      expect(states()).toEqual(['ready']);
    });
  });
});
