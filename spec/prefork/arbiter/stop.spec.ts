// The end of the arbiter: its workers leave in time or are killed, also one that is still made.

import { failure, KILLED, outcome, scriptedArbiter, settle, STOP } from '../../support/scripted-arbiter.ts';
import { hangs, ScriptedSource, stays, type ScriptedWorker } from '../../support/scripted-source.ts';

describe('the arbiter', () => {
  const { arbiter, behave, live, logged, make, running, source, sources, started, workers } = scriptedArbiter();

  describe('stops', () => {
    test('when its workers have left, each told how long it has', async () => {
      behave(stays);
      await started(2);
      const stop = arbiter().stop(3000);
      expect(await outcome(stop)).toBe('pending');
      expect(arbiter().status()).toMatchObject({ state: 'stopping' });
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
      behave(hangs);
      const start = failure(make(2).start());
      await settle();
      const stop = arbiter().stop(STOP);
      expect(await start).toMatchObject({ name: 'BootError', message: 'stopped before the workers were ready' });
      expect(await outcome(stop)).toBe('done');
      expect(workers().map(({ exit }) => exit)).toEqual([KILLED, KILLED]);
      expect(source(0).made).toBe(2);
    });

    test('during a reload: no request in flight in either generation is cut', async () => {
      behave(stays, stays);
      await started(2);
      behave(hangs);
      const reload = failure(arbiter().reload());
      await settle();
      const [ready, booting] = source(1).workers as [ScriptedWorker, ScriptedWorker];
      ready.onOrder = () => {};
      ready.ready();
      await settle();
      const stop = arbiter().stop(STOP);
      expect(await reload).toMatchObject({ message: 'stopped before the workers were ready' });
      expect(booting.exit).toEqual(KILLED);
      for (const worker of [ready, ...source(0).workers]) {
        expect(worker.orders.map(({ timeout }) => timeout)).toEqual([STOP]);
        worker.end({ code: 0, signal: null });
      }
      expect(await outcome(stop)).toBe('done');
      await arbiter().reload(); // nothing
      expect(sources).toHaveLength(2);
    });

    test('without a word about the successor of one that has just left: it was not ready yet', async () => {
      behave(stays);
      const { workers: all } = await started(1);
      source(0).behaviour = hangs;
      const [first] = all as [ScriptedWorker];
      first.say({ type: 'leaving' }); // SIGTERM came to all processes, and to the worker first
      await settle();
      const successor = all[1] as ScriptedWorker;
      const stop = arbiter().stop(STOP);
      first.end({ code: 0, signal: null });
      expect(await outcome(stop)).toBe('done');
      expect(successor.exit).toEqual(KILLED);
      expect(logged('info').filter((message) => message.includes('gone'))).toEqual(['a worker is gone: exit code 0']);
      expect(arbiter().unfinished).toBe(false);
    });

    test.each([
      [{ code: 0, signal: null }, false],
      [{ code: 1, signal: null }, true],
      [KILLED, true],
    ])('and knows whether a worker has left what it was at: %j', async (exit, unfinished) => {
      behave(stays);
      await started(1);
      const stop = arbiter().stop(STOP);
      for (const worker of workers()) worker.end(exit);
      expect(await outcome(stop)).toBe('done');
      expect(arbiter().unfinished).toBe(unfinished);
    });

    test('without the reload that was still to come', async () => {
      await started(1);
      behave(hangs);
      const first = failure(arbiter().reload());
      const second = arbiter().reload();
      await arbiter().stop(0);
      await first;
      await second;
      expect(sources).toHaveLength(2);
      expect(running()).toEqual([]);
    });

    test('faster where it is told a second time, and at once at the third', async () => {
      behave(stays);
      await started(1);
      const stop = arbiter().stop(STOP);
      await live(1000);
      expect(arbiter().stop(0)).toBe(stop);
      await settle();
      expect(workers()[0]?.orders).toEqual([
        { type: 'drain', timeout: STOP, handOver: false },
        { type: 'drain', timeout: 0, handOver: false },
      ]);
      expect(workers()[0]?.running).toBe(true);
      void arbiter().stop(0);
      expect(workers()[0]?.exit).toEqual(KILLED);
      await stop;
    });

    test('by force twelve seconds after its time, which the second call has shortened', async () => {
      behave(stays);
      await started(1);
      void arbiter().stop(STOP);
      await live(1000);
      void arbiter().stop(0);
      await live(12_000);
      expect(workers()[0]?.running).toBe(true);
      await live(500);
      expect(workers()[0]?.exit).toEqual(KILLED);
    });

    test('not later where it is told a second time with more time', async () => {
      behave(stays);
      await started(1);
      void arbiter().stop(0);
      await live(1000);
      void arbiter().stop(60_000);
      await live(11_500);
      expect(workers()[0]?.exit).toEqual(KILLED);
    });

    test('by force where workers do not leave', async () => {
      behave(stays);
      await started(2);
      const stop = arbiter().stop(STOP);
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
      behave(stays);
      await started(2);
      const stop = arbiter().stop(STOP);
      await settle();
      for (const worker of workers()) worker.end({ code: 1, signal: null });
      expect(await outcome(stop)).toBe('done');
      expect(source(0).made).toBe(2);
    });

    test('before the start', async () => {
      make(1);
      expect(await outcome(arbiter().stop(1000))).toBe('done');
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
      const stop = arbiter().stop(0);
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
      const start = failure(arbiter().start());
      await settle();
      const stop = arbiter().stop(STOP);
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
      void outcome(arbiter().start());
      await settle();
      const stop = arbiter().stop(STOP);
      expect(await outcome(stop)).toBe('pending');
      give?.();
      expect(await outcome(stop)).toBe('done');
      expect(slow.workers[0]?.exit).toEqual(KILLED);
      expect(logged('error')).toEqual([]);
    });
  });
});
