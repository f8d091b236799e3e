// Workers that serve so many requests and not one more: exactly, quickly, and without losing any.

import { byFastCgi, Load } from '../support/load.ts';
import { RawClient } from '../support/raw-client.ts';
import { request } from '../support/raw-records.ts';
import { processFamily, until } from '../support/processes.ts';
import { Deployment, directly, get, METHODS, ways } from './deployment.ts';

const strictly = (maxRequests: number): string[] => ['--max-requests', String(maxRequests), '--max-requests-strict'];

describe.each(METHODS)('--max-requests-strict, %s', (method) => {
  const family = method === 'fork' ? 4 : 3; // the arbiter and two workers, and the zygote
  const rounds = method === 'fork' ? 20 : 6; // of workers
  let app: Deployment;
  let load: Load | undefined;
  let client: RawClient | undefined;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    client?.destroy();
    await load?.stop();
    await app.stop();
    load = client = undefined;
  });

  /** How many requests each process has had, by the journal of the application. */
  function served(): number[] {
    const counts = new Map<number, number>();
    for (const { pid, step } of app.notes()) if (step === 'begin') counts.set(pid, (counts.get(pid) ?? 0) + 1);
    return [...counts.values()];
  }

  test.each([1, 5])(
    'sequential requests: each worker serves exactly %d',
    async (maxRequests) => {
      await app.start({}, ...strictly(maxRequests), '--workers', '1');
      const way = byFastCgi(app.at);
      for (let asked = 0; asked < rounds * maxRequests; asked++) {
        await way.ask({ method: asked % 2 === 0 ? 'GET' : 'POST', path: `/load/${asked}/100`, body: '' });
      }
      way.close();
      expect(served()).toEqual(Array<number>(rounds).fill(maxRequests));
      expect(app.logged(/"level":[456]0/g)).toBe(0);
      await until('its end', () => processFamily(app.arbiter.pid).length === family - 1);
    },
    40_000,
  );

  test('of several workers none serves more', async () => {
    await app.start({}, ...strictly(3), '--workers', '3');
    const way = byFastCgi(app.at);
    for (let asked = 0; asked < 3 * rounds; asked++) {
      await way.ask({ method: 'GET', path: `/load/${asked}/70000`, body: '' });
    }
    way.close();
    expect(Math.max(...served())).toBe(3);
    expect(app.logged(/"level":[456]0/g)).toBe(0);
  }, 40_000);

  test('a kept connection goes from worker to worker, each of which serves exactly so many on it', async () => {
    await app.start({}, ...strictly(2), '--workers', '1');
    client = await RawClient.connect(app.socket);
    const pids: number[] = [];
    for (let asked = 0; asked < 2 * rounds; asked++) {
      const path = `/load/${asked}/${asked % 3 === 0 ? 70_000 : 10}`;
      const params = { REQUEST_METHOD: 'POST', REQUEST_URI: path, SCRIPT_NAME: '', PATH_INFO: path };
      await client.send(request({ keep: true, stdin: 'x', params }));
      const { body } = await client.response();
      pids.push((JSON.parse(body.slice(0, body.indexOf('\n'))) as { pid: number }).pid);
    }
    expect(served()).toEqual(Array<number>(rounds).fill(2));
    expect(new Set(pids).size).toBe(rounds);
    expect(client.ending).toBe(undefined);
  }, 40_000);

  test('the last request may take its time: it is not cut, and others are served meanwhile', async () => {
    await app.start({}, ...strictly(1), '--workers', '1', '--stop-timeout', '200');
    const nginx = await app.nginx();
    const held = get(nginx, '/held/long');
    const pid = await app.begun('long');
    await app.settled('its successor', ({ workers }) => workers.some(({ state }) => state === 'ready'));
    expect((await get(nginx, '/load/other/10')).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 500)); // longer than --stop-timeout
    app.release('long');
    const { status, text } = await held;
    expect(status).toBe(200);
    expect((JSON.parse(text.slice(0, text.indexOf('\n'))) as { pid: number }).pid).toBe(pid);
    expect(served()).toEqual([1, 1]);
  }, 20_000);

  test.each([1, 5])(
    'under load behind web servers, %d requests for each worker: none is lost',
    async (maxRequests) => {
      await app.start({}, ...strictly(maxRequests));
      load = new Load([...ways(1, await app.nginx(), await app.lighttpd()), ...directly(app, 2)]);
      while (load.pids.size < rounds) await load.answered(5);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(app.logged(/"level":[456]0/g)).toBe(0);
      await until('two workers and no process more', () => processFamily(app.arbiter.pid).length === family);
    },
    40_000,
  );

  test('a reload under load has its workers, though they are worn before all are ready', async () => {
    await app.start({}, ...strictly(1));
    load = new Load(ways(1, await app.nginx()));
    await load.answered(5);
    await app.reload({ version: 2 });
    await load.answered(5, ({ version }) => version === 2);
    await load.stop();
    expect(load.failures).toEqual([]);
  }, 40_000);
});
