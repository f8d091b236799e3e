// Proof 4: workers that are replaced after some requests lose none.

import { Load } from '../support/load.ts';
import { processFamily, until } from '../support/processes.ts';
import { Deployment, directly, METHODS, ways } from './deployment.ts';

describe.each(METHODS)('--max-requests, %s', (method) => {
  let app: Deployment;
  let load: Load | undefined;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    await load?.stop();
    await app.stop();
  });

  test.each([
    [7, 12],
    [1, 10],
  ])(
    'workers that are replaced after %d requests under load lose none',
    async (maxRequests, workers) => {
      await app.start({}, '--max-requests', String(maxRequests));
      const family = method === 'fork' ? 4 : 3; // the arbiter and two workers, and the zygote
      load = new Load([...ways(1, await app.nginx(), await app.lighttpd()), ...directly(app, 2)]);
      while (load.pids.size < workers) await load.answered(10);
      await load.stop();
      expect(load.failures).toEqual([]);
      expect(app.logged(/a worker died/g)).toBe(0);
      await until('two workers and no process more', () => processFamily(app.arbiter.pid).length === family);
    },
    40_000,
  );
});
