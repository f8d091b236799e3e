// The arbiter and a new generation of workers, which takes over when all of it is ready.

import { failure, outcome, scriptedArbiter, settle, STOP } from '../../support/scripted-arbiter.ts';
import {
  failsToBoot,
  hangs,
  ScriptedSource,
  serves,
  stays,
  type ScriptedWorker,
} from '../../support/scripted-source.ts';

describe('the arbiter', () => {
  const { arbiter, behave, logged, make, pass, running, source, sources, started, states } = scriptedArbiter();

  describe('reloads', () => {
    test('and drains the old workers only when all new ones are ready', async () => {
      behave(serves, hangs);
      await started(2);
      const reload = arbiter().reload();
      await settle();
      const [one, two] = source(1).workers;
      one?.ready();
      expect(await outcome(reload)).toBe('pending');
      expect(arbiter().status()).toMatchObject({ state: 'reloading', generation: 1 });
      expect(source(0).workers.flatMap(({ orders }) => orders)).toEqual([]);
      two?.ready();
      expect(await outcome(reload)).toBe('done');
      expect(source(0).workers.map(({ orders }) => orders)).toEqual([
        [{ type: 'drain', timeout: STOP, handOver: true }],
        [{ type: 'drain', timeout: STOP, handOver: true }],
      ]);
      expect(source(0).closed).toBe(1);
      expect(source(1).closed).toBe(0);
      expect(arbiter().status()).toMatchObject({ state: 'running', generation: 2 });
      expect(
        arbiter()
          .status()
          .workers.map(({ generation }) => generation),
      ).toEqual([2, 2]);
    });

    test('and keeps the old source until its last worker is gone', async () => {
      behave(stays, serves);
      await started(2);
      await arbiter().reload();
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
      behave(serves, hangs, serves);
      await started(2);
      const reload = arbiter().reload();
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
      expect(arbiter().status()).toMatchObject({ state: 'running', generation: 1 });
      await arbiter().reload(); // the next one may be right
      expect(arbiter().status()).toMatchObject({ state: 'running', generation: 3 });
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
      await expect(arbiter().reload()).rejects.toThrow('no such folder');
      broken = false;
      expect(arbiter().status().state).toBe('running');
      await arbiter().reload();
    });

    test('at most twice for 25 calls', async () => {
      behave(serves, hangs);
      await started(1);
      const reloads = Array.from({ length: 25 }, () => arbiter().reload());
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
      behave(serves, failsToBoot('half a file'), serves);
      await started(1);
      const [first, second] = [failure(arbiter().reload()), arbiter().reload()];
      expect(await first).toMatchObject({ message: 'half a file' });
      await second;
      expect(arbiter().status()).toMatchObject({ generation: 3, state: 'running' });
    });

    test('after the start, where it is asked to meanwhile', async () => {
      behave(hangs, serves);
      const start = make(1).start();
      const reload = arbiter().reload();
      await settle();
      expect(sources).toHaveLength(1);
      source(0).workers[0]?.ready();
      await start;
      await reload;
      await settle();
      expect(
        arbiter()
          .status()
          .workers.map(({ generation }) => generation),
      ).toEqual([2]);
    });

    test('not before the start, nor after one that has failed', async () => {
      behave(failsToBoot('a typo'), serves);
      await make(1).reload();
      const failed = failure(arbiter().start());
      const reload = arbiter().reload();
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
      await arbiter().reload();
      expect(source(1).workers).toHaveLength(4);
    });
  });
});
