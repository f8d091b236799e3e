// Proof 5: what runs is finished when the arbiter is told to stop, and also when it is killed; then nothing is left.

import { Load } from '../support/load.ts';
import { processGroup, until } from '../support/processes.ts';
import { Deployment, directly, get, METHODS, ways } from './deployment.ts';

describe.each(METHODS)('stopping, %s', (method) => {
  let app: Deployment;
  let load: Load | undefined;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    await load?.stop();
    await app.stop();
  });

  /** Requests that had come to an application and were not answered. */
  function lost(): string[] {
    const begun = new Set(app.notes().map(({ nonce }) => nonce));
    return (load as Load).failures.map(({ nonce }) => nonce).filter((nonce) => begun.has(nonce));
  }

  test('SIGTERM under load: what has begun is answered, and no process and no file is left', async () => {
    await app.start({});
    const nginx = await app.nginx();
    const held = get(nginx, '/held/held');
    const pid = await app.begun('held');
    load = new Load([...ways(2, nginx, await app.lighttpd()), ...directly(app, 2)]);
    await load.answered(100);
    expect(app.files.length).toBe(3);

    app.arbiter.signal('SIGTERM');
    await app.arbiter.says(/"stopping: SIGTERM"/);
    await load.answered(20, ({ way }) => way.startsWith('nginx')); // over connections that are kept
    await load.stop();
    app.release('held');
    const { status, text } = await held;
    expect(status).toBe(200);
    expect(text).toBe(`${JSON.stringify({ nonce: 'held', pid, version: 1 })}\n${'held'.repeat(10_000)}`);

    expect(await app.arbiter.exited).toEqual({ code: 0, signal: null });
    expect(lost()).toEqual([]);
    expect(load.failures.filter(({ what }) => /in time/.test(what))).toEqual([]); // answered or refused, not left waiting
    expect(processGroup(app.arbiter.pid)).toEqual([]);
    expect(app.files).toEqual([]);
  }, 30_000);

  test('SIGKILL of the arbiter: the workers finish and leave by themselves, and the next arbiter takes the place', async () => {
    await app.start({ version: 1 });
    const nginx = await app.nginx();
    const held = get(nginx, '/held/held');
    const pid = await app.begun('held');
    load = new Load([...ways(2, nginx, await app.lighttpd()), ...directly(app, 2)]);
    await load.answered(100);

    const first = app.arbiter;
    first.signal('SIGKILL');
    await first.exited;
    await app.start({ version: 2 });
    await load.answered(50, ({ version }) => version === 2);
    await load.stop();
    await until('who has nothing to do leaves', () => processGroup(first.pid).length === 1);
    expect(processGroup(first.pid)[0]?.pid).toBe(pid);
    app.release('held');
    const { status, text } = await held;
    expect(status).toBe(200);
    expect(text).toBe(`${JSON.stringify({ nonce: 'held', pid, version: 1 })}\n${'held'.repeat(10_000)}`);

    await until('the first one’s workers are gone', () => processGroup(first.pid).length === 0);
    expect(lost()).toEqual([]);
    expect(app.files.length).toBe(3); // they are the second one's now
    await app.serving();
  }, 30_000);
});
