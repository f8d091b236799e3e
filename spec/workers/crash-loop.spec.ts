// Workers that die again and again: the arbiter waits longer and longer, and is never busy with it.

import { setTimeout as delay } from 'node:timers/promises';
import { byFastCgi } from '../support/load.ts';
import { isRunning, processGroup, processState, until } from '../support/processes.ts';
import { Deployment, METHODS } from './deployment.ts';

const WATCHED = 2500; // ms
const OBEYS_WITHIN = 1000; // ms

describe.each(METHODS)('crash loop, %s', (method) => {
  let app: Deployment;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(() => app.stop());

  function cpu(): number {
    return processState(app.arbiter.pid)?.cpu as number;
  }

  /** What the arbiter takes and says while workers die. */
  async function watch(): Promise<{ cpu: number; deaths: number; lines: number }> {
    const deaths = (): number => app.logged(/a worker (died|did not start)/g);
    const lines = (): number => app.arbiter.stderr.split('\n').length;
    const before = { cpu: cpu(), deaths: deaths(), lines: lines() };
    await delay(WATCHED);
    return { cpu: cpu() - before.cpu, deaths: deaths() - before.deaths, lines: lines() - before.lines };
  }

  /** It waits when it is told to stop. */
  async function stops(): Promise<void> {
    const from = performance.now();
    app.arbiter.signal('SIGTERM');
    expect(await app.arbiter.exited).toEqual({ code: 0, signal: null });
    expect(performance.now() - from).toBeLessThan(OBEYS_WITHIN);
    expect(processGroup(app.arbiter.pid)).toEqual([]);
  }

  test('workers that every request ends are replaced ever more slowly', async () => {
    await app.start({});
    const way = byFastCgi(app.at);
    let asking = true;
    const client = async (name: number): Promise<void> => {
      for (let turn = 0; asking; turn++) {
        await way.ask({ method: 'GET', path: `/exit/${name}.${turn}`, body: '' }).catch(() => {});
        await delay(10); // refused ones too, in the end
      }
    };
    const clients = [client(0), client(1), client(2), client(3)];
    try {
      await until('five deaths, which are free', () => app.logged(/a worker died/g) >= 5);
      const seen = await watch();
      expect(seen.deaths).toBeLessThanOrEqual(8); // two each after 1 and after 2 s or more, and those under way
      expect(seen.lines).toBeLessThanOrEqual(seen.deaths * 3 + 10);
      expect(seen.cpu).toBeLessThan(WATCHED / 4);
      await stops();
    } finally {
      asking = false;
      way.close();
      await Promise.all(clients);
    }
  }, 30_000);

  test('workers that do not start any more are tried ever more slowly, and serve once they do', async () => {
    await app.start({ version: 1 });
    await app.serving();
    const endAll = async (): Promise<void> => {
      const pids = processGroup(app.arbiter.pid).map(({ pid }) => pid);
      const all = pids.filter((pid) => pid !== app.arbiter.pid);
      for (const pid of all) process.kill(pid, 'SIGKILL');
      await until('the killed end', () => !all.some(isRunning));
    };
    app.write({ broken: 'broken on purpose' });
    await endAll();
    await app.arbiter.says(/a worker did not start, next try in \d+ s: .*broken on purpose/);
    const seen = await watch();
    expect(seen.deaths).toBeLessThanOrEqual(8);
    expect(seen.lines).toBeLessThanOrEqual(seen.deaths * 3 + 10);
    expect(seen.cpu).toBeLessThan(WATCHED / 4);

    await app.reload({ version: 2 }); // a person need not wait
    await app.serving();
    const way = byFastCgi(app.at);
    const { body } = await way.ask({ method: 'GET', path: '/load/last/10', body: '' });
    way.close();
    expect(body.toString()).toContain('"version":2');

    app.write({ broken: 'broken on purpose' });
    await endAll();
    await until('it does not start again', () => app.logged(/a worker did not start/g) > seen.deaths + 1);
    await stops();
  }, 30_000);
});
