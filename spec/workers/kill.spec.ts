// Proof 1: of workers that are killed, only what was in flight in them fails. Proof 2: without any worker, requests wait.

import { Load, type Failure } from '../support/load.ts';
import { descriptorsOf, isRunning, processFamily, until } from '../support/processes.ts';
import { Deployment, directly, METHODS, ways } from './deployment.ts';

const KILLS = 20;
const TIMES = 5; // that all are killed at once

/** From the signal until the process is gone: requests may come to it until then. Times are those of performance.now(). */
interface Kill {
  readonly pid: number;
  readonly from: number;
  readonly to: number;
}

async function kill(pids: readonly number[]): Promise<Kill[]> {
  const from = performance.now();
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until('the killed end', () => !pids.some(isRunning));
  const to = performance.now();
  return pids.map((pid) => ({ pid, from, to }));
}

describe.each(METHODS)('workers that are killed, %s', (method) => {
  let app: Deployment;
  let load: Load | undefined;

  beforeEach(() => {
    app = new Deployment(method);
  });
  afterEach(async () => {
    await load?.stop();
    await app.stop();
  });

  /** Those that no kill accounts for: a request may fail that was on its way while its worker was killed. */
  function unaccounted(failures: readonly Failure[], kills: readonly Kill[]): Failure[] {
    const notes = app.notes();
    return failures.filter(({ nonce, from, to }) => {
      const began = notes.filter((note) => note.nonce === nonce && note.step === 'begin').map(({ pid }) => pid);
      const during = kills.filter((one) => from <= one.to && to >= one.from).map(({ pid }) => pid);
      return during.length === 0 || !began.every((pid) => during.includes(pid));
    });
  }

  test(`${KILLS} kills under load fail only what was in flight in the killed, and nothing leaks`, async () => {
    await app.start({});
    const [nginx, lighttpd] = [await app.nginx(), await app.lighttpd()];
    await app.serving();
    const processes = processFamily(app.arbiter.pid).length;
    const descriptors = descriptorsOf(app.arbiter.pid);

    load = new Load([...ways(2, nginx, lighttpd), ...directly(app, 2)]);
    await load.answered(50);
    const kills: Kill[] = [];
    while (kills.length < KILLS) {
      const pids = await app.serving();
      const [killed] = (await kill([pids[Math.floor(Math.random() * pids.length)] as number])) as [Kill];
      kills.push(killed);
      await load.answered(20, ({ from }) => from > killed.to);
    }
    const pids = await app.serving();
    for (const pid of pids) await load.answered(1, (answer) => answer.pid === pid);
    await load.stop();

    expect(unaccounted(load.failures, kills)).toEqual([]);
    for (const { from, to } of kills) {
      const failed = load.failures.filter((failure) => failure.from <= to && failure.to >= from);
      expect(failed.length).toBeLessThanOrEqual(load.clients); // each has one request in flight
    }
    expect(new Set(kills.map(({ pid }) => pid)).size).toBe(KILLS);
    expect(app.made).toBe(2 + KILLS);
    expect(app.logged(/a worker died after/g)).toBe(KILLS);
    // Sockets of workers that have just ended are closed a little later.
    await until('descriptors as before', () => descriptorsOf(app.arbiter.pid) <= descriptors);
    await until('as many processes as before', () => processFamily(app.arbiter.pid).length === processes);
  }, 60_000);

  test('without any worker requests wait for the next ones, and none is refused', async () => {
    await app.start({ load: 400, startup: 400 });
    const nginx = await app.nginx();
    load = new Load([...ways(2, nginx), ...directly(app, 4)]);
    const kills: Kill[] = [];
    for (let time = 0; time < TIMES; time++) {
      const pids = await app.serving();
      await load.answered(20);
      const [killed] = (kills.push(...(await kill(pids))), kills.slice(-1)) as [Kill];
      const waited = await load.answered(load.clients, ({ from }) => from > killed.to);
      expect(waited.to - killed.to).toBeGreaterThan(300); // nobody could answer before
    }
    await load.stop();
    expect(unaccounted(load.failures, kills)).toEqual([]);
    expect(load.failures.filter(({ what }) => /REFUSED|ENOENT|EAGAIN/.test(what))).toEqual([]);
  }, 60_000);

  test('all that the arbiter has started is killed at once, and the next ones serve', async () => {
    await app.start({});
    load = new Load([...ways(1, await app.nginx()), ...directly(app, 2)]);
    await load.answered(20);
    const all = processFamily(app.arbiter.pid).map(({ pid }) => pid);
    const kills = await kill(all.filter((pid) => pid !== app.arbiter.pid));
    const last = kills[0] as Kill;
    await load.answered(20, ({ from }) => from > last.to);
    const pids = await app.serving();
    expect(pids.some((pid) => all.includes(pid))).toBe(false);
    await load.stop();
    expect(unaccounted(load.failures, kills)).toEqual([]);
    await until('as many processes as before', () => processFamily(app.arbiter.pid).length === all.length);
  }, 30_000);
});
