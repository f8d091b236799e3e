// The arbiter at its start: until all workers are ready, or one of them fails.

import { availableParallelism } from 'node:os';
import { BootError } from '../../../lib/prefork/index.ts';
import { BOOT, failure, KILLED, outcome, scriptedArbiter, settle } from '../../support/scripted-arbiter.ts';
import { failsToBoot, hangs, ScriptedSource, type ScriptedWorker } from '../../support/scripted-source.ts';

const AT_ONCE = Math.max(2, availableParallelism());

describe('the arbiter', () => {
  const { arbiter, behave, logged, make, pass, running, source, states } = scriptedArbiter();

  describe('starts', () => {
    test('and is done when all workers are ready', async () => {
      behave(hangs);
      const start = make(2).start();
      expect(await outcome(start)).toBe('pending');
      expect(arbiter().status()).toMatchObject({ state: 'starting', generation: 0, wanted: 2 });
      expect(states()).toEqual(['booting', 'booting']);
      source(0).workers[0]?.ready();
      expect(await outcome(start)).toBe('pending');
      source(0).workers[1]?.ready();
      expect(await outcome(start)).toBe('done');
      expect(arbiter().status()).toMatchObject({ state: 'running', generation: 1, wanted: 2, pid: process.pid });
      expect(states()).toEqual(['ready', 'ready']);
      expect(logged('info')).toEqual([
        expect.stringMatching(/^a worker is ready after \d+ ms$/),
        expect.stringMatching(/^a worker is ready/),
      ]);
    });

    test(`with ${AT_ONCE} workers at a time, each after one that is ready`, async () => {
      behave(hangs);
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
      behave(hangs);
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
      expect(arbiter().status().workers).toEqual([]);
    });

    test.each([
      [{ code: 3, signal: null }, 'exit code 3'],
      [{ code: null, signal: 'SIGSEGV' }, 'signal SIGSEGV'],
      [{ code: null, signal: null }, 'nobody knows how'],
    ])('not where a worker ends without a word: %j', async (exit, how) => {
      behave((worker) => worker.end(exit));
      expect(await failure(make(1).start())).toMatchObject({ message: `a worker ended before it was ready: ${how}` });
    });

    test('not where a worker leaves before it is ready, as at SIGTERM', async () => {
      behave((worker) => {
        worker.say({ type: 'leaving' });
        worker.end({ code: 0, signal: null });
      });
      expect(await failure(make(1).start())).toMatchObject({
        message: 'a worker ended before it was ready: exit code 0',
      });
      expect(source(0).made).toBe(1);
    });

    test('not where a worker dies right after it was ready', async () => {
      behave(hangs);
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
      behave(hangs);
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
});
