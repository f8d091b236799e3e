// A worker's life in its own process, spawned or forked: what it says, how it leaves.

import { buildNative, loadNative, type WorkerSource } from '../../../lib/prefork/index.ts';
import { lives, preforkProcesses, type ProgramSettings, type RealWorker } from '../../support/prefork-processes.ts';

const methods = process.platform === 'linux' ? ['spawn', 'fork'] : ['spawn'];
const DONE = { code: 0, signal: null };

describe.each(methods)('a worker by %s', (method) => {
  const processes = preforkProcesses();

  beforeAll(async () => {
    if (method === 'fork') await buildNative();
  });

  const source = (settings: ProgramSettings = {}): WorkerSource =>
    method === 'fork' ? processes.forked(loadNative(), settings) : processes.spawned(settings);

  async function serving(settings: ProgramSettings = {}): Promise<RealWorker> {
    const worker = await processes.make(source(settings));
    await worker.says('ready');
    return worker;
  }

  const closed = (): string[] => processes.journal().filter((line) => line.startsWith('close'));

  test('finishes what it has and leaves when it is told to, within the time it is given', async () => {
    const worker = await serving();
    const client = await processes.client();
    worker.drain(300);
    await client.ended; // it was cut
    expect(await worker.exited).toEqual(DONE);
    expect(closed()).toEqual([`close ${worker.pid} 300`, `closed ${worker.pid}`]);
    expect(worker.messages.map(({ type }) => type)).not.toContain('leaving');
  });

  test('leaves at once when it is told not to wait, with exit code 1 for what it was at', async () => {
    const worker = await serving();
    const client = await processes.client();
    worker.drain(60_000);
    worker.drain(60_000);
    while (closed().length === 0) await client.tell('finish'); // it closes after some turns of its event loop
    worker.drain(0);
    await client.ended;
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(closed()).toEqual([`close ${worker.pid} 60000`]);
  });

  test('has less time when it is told so, and no more', async () => {
    const worker = await serving();
    const client = await processes.client();
    const line = (timeout: number): string => `close ${worker.pid} ${timeout}`;
    for (const timeout of [50_000, 60_000, 40_000]) worker.drain(timeout);
    while (!closed().includes(line(40_000))) await client.tell('finish');
    for (const timeout of [50_000, 30_000]) worker.drain(timeout);
    while (!closed().includes(line(30_000))) await client.tell('finish');
    client.end();
    expect(await worker.exited).toEqual(DONE);
    // The first is told by itself where the others come later than the turns in which it still accepts.
    const told = closed().filter((one) => one.startsWith('close ') && one !== line(50_000));
    expect(told).toEqual([line(40_000), line(30_000)]);
    expect(closed().indexOf(line(50_000))).toBeLessThanOrEqual(0);
  });

  test.each([
    ['throw', 5000],
    ['failRequest', 60_000],
  ])('has 5 s behind an error of nobody knows which request, else --stop-timeout (%s)', async (how, timeout) => {
    const worker = await serving({ stopTimeout: 60_000 });
    const client = await processes.client();
    await client.tell(how);
    await worker.says('leaving');
    client.end();
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(closed()[0]).toBe(`close ${worker.pid} ${timeout}`);
    expect(worker.stderr().includes('outside of any request')).toBe(how === 'throw');
  });

  test('leaves by itself at SIGTERM: says so, finishes what it has, exit code 0', async () => {
    const worker = await serving({ stopTimeout: 60_000 });
    const client = await processes.client();
    worker.process.kill('SIGTERM');
    worker.process.kill('SIGTERM');
    await worker.says('leaving');
    await client.tell('finish'); // it serves on
    client.end();
    expect(await worker.exited).toEqual(DONE);
    expect(closed()).toEqual([`close ${worker.pid} 60000`, `closed ${worker.pid}`]);
    expect(worker.messages.filter(({ type }) => type === 'leaving')).toHaveLength(1);
  });

  test('does not hear SIGINT, SIGQUIT and SIGHUP, which the arbiter hears', async () => {
    const worker = await serving();
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) worker.process.kill(signal);
    const client = await processes.client();
    await client.tell('finish');
    client.end();
    expect(worker.messages.map(({ type }) => type)).not.toContain('leaving');
    worker.process.kill('SIGTERM'); // after all of them
    expect(await worker.exited).toEqual(DONE);
  });

  test.each(['throw', 'reject'])('leaves after an error that nobody catches (%s), with exit code 1', async (how) => {
    const worker = await serving();
    const [one, other] = [await processes.client(), await processes.client()];
    await one.tell(how);
    await worker.says('leaving');
    await other.tell('finish'); // what is in flight is served
    await other.tell('throw');
    one.end();
    other.end();
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    expect(worker.stderr()).toContain('error: an error outside of any request');
    expect(worker.messages.filter(({ type }) => type === 'leaving')).toHaveLength(1);
  });

  test('says why it cannot serve', async () => {
    const worker = await processes.make(source({ serve: 'rejects' }));
    expect((await worker.says('failed')).message).toMatch(/^Error: cannot listen\n {4}at /);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
  });

  test('says that leaving failed, with exit code 1', async () => {
    const worker = await serving({ close: 'rejects' });
    worker.drain(1000);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
    await worker.closed;
    expect(worker.stderr()).toContain('error: leaving failed');
  });

  test('drains and leaves by itself where its arbiter is gone', async () => {
    const worker = await serving({ stopTimeout: 60_000 });
    const client = await processes.client();
    worker.process.channel.destroy();
    while (closed().length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(lives(worker.pid)).toBe(true);
    await client.tell('finish');
    client.end();
    expect(await worker.exited).toEqual(DONE);
    expect(closed()).toEqual([`close ${worker.pid} 60000`, `closed ${worker.pid}`]);
  });

  test('tells its load, and that it lives', async () => {
    const worker = await serving();
    const first = await worker.says('load');
    expect(first.load).toEqual({ active: 0, connections: 0, served: 0, rss: expect.any(Number) });
    expect(first.load?.rss).toBeGreaterThan(10_000_000);
    const client = await processes.client();
    const told = async (served: number, active: number): Promise<number> => {
      const since = worker.messages.length;
      for (;;) {
        const at = worker.messages.findIndex(({ load }) => load?.served === served && load.active === active);
        if (at >= 0) return worker.messages.length - since;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    };
    await told(1, 1);
    client.end();
    await told(1, 0);
    const before = worker.messages.length;
    while (worker.messages.length < before + 2) await new Promise((resolve) => setTimeout(resolve, 10)); // nothing changes
    const last = worker.messages.at(-1)?.load;
    expect(last).toEqual({ active: 0, connections: 0, served: 1, rss: expect.any(Number) });
  });

  test('is worn after so many requests and a few more, each its own number, says it once, and serves on', async () => {
    const settings = { maxRequests: 5, maxRequestsJitter: 20 };
    const all = source(settings);
    const counts: number[] = [];
    for (let times = 0; times < 4; times++) {
      const worker = await processes.make(all);
      await worker.says('ready');
      const client = await processes.client();
      let requests = 0;
      while (!worker.messages.some(({ type }) => type === 'worn')) {
        await client.tell('finish');
        requests += 1;
        if (requests < settings.maxRequests) continue;
        // What it has sent before its answer on the other connection may come after it.
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(requests).toBeLessThanOrEqual(settings.maxRequests + settings.maxRequestsJitter + 2);
      }
      counts.push(requests);
      for (let more = 0; more < 30; more++) await client.tell('finish');
      client.end();
      worker.drain(0);
      expect(await worker.exited).toEqual(DONE);
      expect(worker.messages.filter(({ type }) => type === 'worn')).toHaveLength(1);
    }
    expect(Math.min(...counts)).toBeGreaterThanOrEqual(settings.maxRequests);
    expect(new Set(counts).size).toBeGreaterThan(1); // all the same: once in 9261 runs
  });

  describe('that is strict about its number of requests', () => {
    const strict = { maxRequests: 2, maxRequestsStrict: true, stopTimeout: 60_000 };
    const closes = (): string[] => processes.journal().filter((line) => line.startsWith('close'));

    test('accepts nobody from the beginning of its last one on, finishes what it has, and leaves when it may', async () => {
      const worker = await serving(strict);
      const [one, other] = [await processes.client(), await processes.client()];
      await one.tell('begin');
      expect(closes()).toEqual([]);
      await one.tell('begin');
      expect(closes()).toEqual([`closeWithAnswers ${worker.pid}`, `close ${worker.pid} Infinity`]);
      expect(await worker.says('worn')).toEqual({ type: 'worn', leaving: true });
      await other.tell('finish');
      one.end();
      other.end();
      while (closes().length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(lives(worker.pid)).toBe(true);
      worker.leave();
      expect(await worker.exited).toEqual(DONE);
      expect(worker.messages.filter(({ type }) => type === 'worn' || type === 'leaving')).toHaveLength(1);
    });

    test('gets a time for what it has when it is told to drain', async () => {
      const worker = await serving({ ...strict, maxRequests: 1 });
      const client = await processes.client();
      await client.tell('begin');
      worker.leave();
      worker.drain(300);
      await client.ended;
      expect(await worker.exited).toEqual(DONE);
    });

    test('does not wait for an arbiter that is gone', async () => {
      const worker = await serving({ ...strict, maxRequests: 1 });
      const client = await processes.client();
      await client.tell('begin');
      worker.process.channel.destroy();
      client.end();
      expect(await worker.exited).toEqual(DONE);
    });
  });

  test('is never worn where it is not to be', async () => {
    const worker = await serving({ maxRequests: 0, maxRequestsJitter: 3 });
    const client = await processes.client();
    for (let requests = 0; requests < 50; requests++) await client.tell('finish');
    client.end();
    worker.drain(0);
    await worker.exited;
    expect(worker.messages.map(({ type }) => type)).not.toContain('worn');
  });
});

describe('a worker that loads its application', () => {
  const processes = preforkProcesses();

  async function loading(): Promise<RealWorker> {
    const worker = await processes.make(processes.spawned({ load: 'hangs' }));
    while (!worker.stderr().includes('loading')) await new Promise((resolve) => setTimeout(resolve, 5));
    return worker;
  }

  test('ends at once where it is told to leave', async () => {
    const worker = await loading();
    worker.drain(60_000);
    expect(await worker.exited).toEqual(DONE);
  });

  test('ends at once at SIGTERM', async () => {
    const worker = await loading();
    worker.process.kill('SIGTERM');
    expect(await worker.exited).toEqual(DONE);
    expect(worker.messages).toEqual([{ type: 'leaving' }]);
  });

  test('ends at once where its arbiter is gone', async () => {
    const worker = await loading();
    worker.process.channel.destroy();
    expect(await worker.exited).toEqual(DONE);
  });

  test('says what was thrown outside of its promise', async () => {
    const worker = await processes.make(processes.spawned({ load: 'throws' }));
    expect((await worker.says('failed')).message).toMatch(/^Error: nobody catches it\n {4}at /);
    expect(await worker.exited).toEqual({ code: 1, signal: null });
  });
});
