// Proof 6: a worker that does not answer any more is ended, at the cost of nobody but those whose requests it has.

import { Load } from '../support/load.ts';
import { processFamily, until } from '../support/processes.ts';
import { Deployment, directly, METHODS, post, ways } from './deployment.ts';

describe.each(METHODS)('workers that are stuck, %s', (method) => {
  let app: Deployment;
  let load: Load | undefined;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    await load?.stop();
    await app.stop();
  });

  test('a worker in an endless loop is killed with its stack in the log, and only its own requests fail', async () => {
    await app.start({}, '--worker-timeout', '3000'); // a busy machine has to answer the others within it
    const nginx = await app.nginx();
    load = new Load([...ways(2, nginx, await app.lighttpd()), ...directly(app, 2)]);
    await load.answered(50);
    const before = await app.serving();

    const from = performance.now();
    const blocked = post(nginx, '/blocked/blocked');
    const pid = await app.begun('blocked');
    // Some clients have their request in the blocked worker; the others go on, by the other one, before it is killed.
    const meanwhile = await load.answered(20, (answer) => answer.from > from && answer.pid !== pid);
    expect(app.logged(/event loop has not turned/g)).toBe(0);
    await app.arbiter.says(/event loop has not turned for 3 s: killed/);
    await app.serving();
    const to = performance.now();
    expect(meanwhile.to).toBeLessThan(to);
    expect((await blocked).status).toBe(502);
    await load.answered(20);
    await load.stop();

    // A forked worker has no inspector to ask.
    expect(app.logged(/"stack":"[^"]*turnForEver/g)).toBe(method === 'spawn' ? 1 : 0);
    const notes = app.notes();
    for (const failure of load.failures) {
      expect(failure.from).toBeLessThan(to);
      expect(failure.to).toBeGreaterThan(from);
      const began = notes.filter(({ nonce }) => nonce === failure.nonce).map((note) => note.pid);
      expect(began.filter((other) => other !== pid)).toEqual([]);
    }
    expect(load.failures.length).toBeLessThan(load.clients);
    const after = await app.serving();
    expect(after).not.toContain(pid);
    expect(after.filter((one) => before.includes(one)).length).toBe(1);
  }, 30_000);

  test('a request that is not answered in time is a 504, and others go on', async () => {
    await app.start({}, '--request-timeout', '500');
    const nginx = await app.nginx();
    load = new Load(ways(2, nginx));
    await load.answered(10);
    const pids = await app.serving();
    const { status } = await post(nginx, '/never/never');
    expect(status).toBe(504);
    await load.answered(20);
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await app.serving()).toEqual(pids);
  }, 30_000);

  test('a worker whose request never ends is ended all the same when it is to leave', async () => {
    await app.start({ version: 1 }, '--stop-timeout', '1000');
    const nginx = await app.nginx();
    const never = post(nginx, '/never/never');
    const pid = await app.begun('never');
    load = new Load([...ways(1, undefined, await app.lighttpd()), ...directly(app, 2)]);
    await app.reload({ version: 2 });
    expect((await never).status).toBe(502);
    expect(await app.serving()).not.toContain(pid);
    await load.stop();
    expect(load.failures).toEqual([]);
    const family = method === 'fork' ? 4 : 3; // the arbiter and two workers, and the zygote
    await until('no process of before', () => processFamily(app.arbiter.pid).length === family);
  }, 30_000);
});
