// How many workers the arbiter has: on demand, by load, and as it is told.

import { scriptedArbiter, settle, STOP } from '../../support/scripted-arbiter.ts';
import { failsToBoot, type ScriptedSource, type ScriptedWorker } from '../../support/scripted-source.ts';

describe('the arbiter', () => {
  const { arbiter, behave, live, logged, pass, started, states, workers } = scriptedArbiter();

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
      expect(arbiter().status()).toMatchObject({ state: 'running', wanted: 0, workers: [] });
      await live(5000);
      expect(waiting).toHaveLength(1); // not asked twice
      waiting[0]?.();
      await settle();
      expect(arbiter().status()).toMatchObject({ wanted: 1 });
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
      expect(waiting).toHaveLength(1); // it backs off
      await pass(1500);
      expect(states()).toEqual([]);
      expect(waiting).toHaveLength(2);
    });

    test('a reload without workers shows that the new code starts, and leaves none', async () => {
      await onDemand();
      await live(4000);
      await arbiter().reload();
      await settle();
      expect(arbiter().status()).toMatchObject({ generation: 2, wanted: 0, workers: [] });
      behave(failsToBoot('a typo'));
      await expect(arbiter().reload()).rejects.toThrow('a typo');
    });

    test('wakes nobody once it stops', async () => {
      const only = await onDemand();
      await live(4000);
      await arbiter().stop(0);
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
    arbiter().resize(1);
    await settle();
    expect(states()).toHaveLength(3);
    workers()[1]?.load(1);
    await settle();
    for (let times = 0; times < 5; times++) arbiter().resize(-1);
    await settle();
    expect(states()).toHaveLength(1);
    expect(workers()[1]?.running).toBe(true); // the one with a request
    expect(arbiter().status().wanted).toBe(1);
  });
});
