// What the arbiter hears from its workers: nothing for too long, their load, and nonsense.

import type { WorkerProcess } from '../../../lib/prefork/index.ts';
import {
  BOOT,
  failure,
  KILLED,
  outcome,
  scriptedArbiter,
  settle,
  STOP,
  WORKER,
} from '../../support/scripted-arbiter.ts';
import { hangs, serves, stays, type ScriptedWorker } from '../../support/scripted-source.ts';

describe('the arbiter', () => {
  const { arbiter, behave, lines, live, logged, make, oversleep, pass, source, started, states, workers } =
    scriptedArbiter();

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
      behave(stays);
      await started(1);
      void arbiter().stop(600_000);
      await live(10_000);
      expect(workers()[0]?.running).toBe(true);
      await pass(WORKER + 500);
      expect(workers()[0]?.exit).toEqual(KILLED);
      expect(logged('error')).toEqual(["a worker's event loop has not turned for 5 s: killed"]);
    });

    test('is one that has been silent for so long while it booted only at the end of that', async () => {
      behave(hangs);
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
    behave(serves, hangs);
    await started(2);
    void outcome(arbiter().reload());
    await settle();
    oversleep(3_600_000);
    await pass(1000);
    expect(workers().flatMap(({ kills }) => kills)).toEqual([]);
    expect(logged('error')).toEqual([]);
    await live(4000, ...source(0).workers);
    expect(workers().flatMap(({ kills }) => kills)).toEqual([]);
    await live(BOOT, ...source(0).workers); // and deadlines hold from then on
    expect(source(1).workers.map(({ exit }) => exit)).toEqual([KILLED, KILLED]);
  });

  test('tells what its workers do', async () => {
    await started(1);
    const [worker] = workers() as [ScriptedWorker];
    worker.say({ type: 'load', load: { active: 2, connections: 3, served: 40, rss: 50_000_000 } });
    await settle();
    await live(0);
    await pass(3000);
    expect(arbiter().status()).toEqual({
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
      behave(hangs);
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
      void arbiter().stop(STOP);
      await settle();
      expect(states()).toEqual(['draining']);
    });

    test('that says all kinds of things while it boots is still booting', async () => {
      behave(hangs);
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
      expect(arbiter().status().workers).toMatchObject([
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
