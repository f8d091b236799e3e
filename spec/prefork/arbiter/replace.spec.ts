// The arbiter and workers that die, leave or are worn: others in their place, later and later where these fail.

import { KILLED, scriptedArbiter, settle, STOP } from '../../support/scripted-arbiter.ts';
import { failsToBoot, hangs, serves, type ScriptedWorker } from '../../support/scripted-source.ts';

describe('the arbiter', () => {
  const { arbiter, behave, lines, live, logged, make, pass, source, started, states } = scriptedArbiter();

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

    test('a worker that leaves because it is worn, at once, and lets it go', async () => {
      await started(1);
      const worn = source(0).workers[0] as ScriptedWorker;
      worn.onOrder = () => {};
      worn.say({ type: 'worn', leaving: true });
      await settle();
      expect(worn.orders).toEqual([{ type: 'leave' }]);
      expect(states()).toEqual(['draining', 'ready']);
      await live(STOP + 20_000); // its last request may take as long as it likes
      expect(worn.running).toBe(true);
      worn.end({ code: 0, signal: null });
      await settle();
      expect(states()).toEqual(['ready']);
      expect(source(0).made).toBe(2);
      expect([...logged('error'), ...logged('info')].filter((message) => !message.includes('ready'))).toEqual([]);
      expect(logged('debug')).toEqual(['a worn worker is gone']);
    });

    test('workers that leave because they are worn without ever waiting, and one that died of its last request is told', async () => {
      const only = await started(2);
      for (let round = 0; round < 100; round++) {
        const [first] = only.running as [ScriptedWorker];
        first.onOrder = () => {};
        first.say({ type: 'worn', leaving: true });
        first.end({ code: round === 50 ? 1 : 0, signal: null });
        await settle();
        expect(states()).toEqual(['ready', 'ready']);
      }
      expect(only.made).toBe(102);
      expect(logged('error')).toEqual(['a worker died after 0 s: exit code 1']);
    });

    test('no more workers that leave than there are others: the next ones come when they are gone', async () => {
      const only = await started(2);
      const wear = async (): Promise<ScriptedWorker> => {
        const worker = only.running.find((one) => one.orders.length === 0) as ScriptedWorker;
        worker.onOrder = () => {};
        worker.say({ type: 'worn', leaving: true });
        await settle();
        return worker;
      };
      const leaving = [await wear(), await wear()];
      expect(states()).toEqual(['draining', 'draining', 'ready', 'ready']);
      leaving.push(await wear());
      expect(states()).toEqual(['draining', 'draining', 'draining', 'ready']);
      await live(1000);
      expect(only.made).toBe(4);
      leaving[0]?.end({ code: 0, signal: null });
      await settle();
      expect(states()).toEqual(['draining', 'draining', 'ready', 'ready']);
    });

    test('workers of a generation that are worn before all of it are ready', async () => {
      behave((worker) => {
        worker.onOrder = () => {};
        worker.ready();
        worker.say({ type: 'worn', leaving: true });
        worker.end({ code: 0, signal: null });
      });
      const start = make(3).start();
      await settle();
      await start;
      behave(serves);
      source(0).behaviour = serves;
      await pass(500);
      expect(states()).toEqual(['ready', 'ready', 'ready']);
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
      void arbiter().stop(STOP);
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
      arbiter().resize(1);
      await settle();
      expect(states()).toEqual(['ready', 'ready']);
    });
  });
});
