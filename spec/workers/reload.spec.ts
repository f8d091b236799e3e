// Proof 3: a reload loses no request.

import { Load } from '../support/load.ts';
import { processFamily, until } from '../support/processes.ts';
import { Deployment, METHODS, ways } from './deployment.ts';

const RELOADS = 50;

describe.each(METHODS)('reload, %s', (method) => {
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

  test(`${RELOADS} reloads under load lose no request, through nginx and lighttpd, GET and POST`, async () => {
    await app.start({ version: 0 });
    load = new Load(ways(1, await app.nginx(), await app.lighttpd()));
    await load.answered(50);
    for (let version = 1; version <= RELOADS; version++) {
      const kept = load.answered(3, ({ way }) => way.startsWith('nginx'));
      const fresh = load.answered(3, (answer) => answer.version === version);
      await app.reload({ version });
      await Promise.all([kept, fresh]);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(load.versions.size).toBe(RELOADS + 1);
    await app.serving();
    await until('no process of the others', () => processFamily(app.arbiter.pid).length === family);
  }, 60_000);
});
