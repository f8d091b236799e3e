// Proof 3 too: reloads of code that does not load, many at once, and with a request that outlives them.

import { Load } from '../support/load.ts';
import { processFamily, until } from '../support/processes.ts';
import { Deployment, get, METHODS, ways } from './deployment.ts';

describe.each(METHODS)('reloads that are not plain, %s', (method) => {
  let app: Deployment;
  let load: Load | undefined;
  const family = method === 'fork' ? 4 : 3; // the arbiter and two workers, and the zygote

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    await load?.stop();
    await app.stop();
  });

  test('code that does not load leaves the workers there are serving, and says why', async () => {
    await app.start({ version: 1 });
    load = new Load(ways(1, await app.nginx(), await app.lighttpd()));
    const pids = await app.serving();
    app.write({ broken: 'broken on purpose' });
    app.arbiter.signal('SIGHUP');
    await app.arbiter.says(/broken on purpose.*"not reloaded, the workers there are serve on"/);
    await load.answered(20);
    expect(await app.serving()).toEqual(pids);

    await app.reload({ version: 2 });
    await load.answered(5, ({ version }) => version === 2);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.versions).toEqual(new Set([1, 2]));
  }, 30_000);

  test('25 reloads asked for at once leave one generation, and lose no request', async () => {
    await app.start({ version: 1 });
    load = new Load(ways(1, await app.nginx(), await app.lighttpd()));
    await load.answered(20);
    const before = await app.status();
    app.write({ version: 2 });
    for (let time = 0; time < 25; time++) app.arbiter.signal('SIGHUP');
    await load.answered(5, ({ version }) => version === 2);
    await load.stop(); // kept connections keep workers of before
    const pids = await app.serving();
    expect(load.failures).toEqual([]);
    expect(pids.some((pid) => before.workers.some((worker) => worker.pid === pid))).toBe(false);
    await until('no process of the others', () => processFamily(app.arbiter.pid).length === family);
  }, 30_000);

  test('a request that takes longer than the reload is answered by the worker that has it, and holds up nobody', async () => {
    await app.start({ version: 1 });
    const nginx = await app.nginx();
    const slow = get(nginx, '/held/slow');
    const pid = await app.begun('slow');
    load = new Load(ways(1, nginx, await app.lighttpd()));
    await app.reload({ version: 2 });
    await load.answered(100, ({ version }) => version === 2);
    await load.stop();
    app.release('slow');
    const { status, text } = await slow;
    expect(status).toBe(200);
    expect(text).toBe(`${JSON.stringify({ nonce: 'slow', pid, version: 1 })}\n${'slow'.repeat(10_000)}`);
    expect(load.failures).toEqual([]);
    expect(await app.serving()).not.toContain(pid);
  }, 30_000);
});
