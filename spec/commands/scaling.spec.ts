// How many workers there are: static, dynamic and on demand, and workers that have served as many requests as they should.

import { existsSync, writeFileSync } from 'node:fs';
import { childrenOf, commands, isAlive, until, type Served, type Status } from './served.ts';

const command = commands();

/** Requests that are held, until they are let go together. */
class Held {
  readonly #served: Served;
  readonly #file: string = command.name('.release');
  readonly #answers: Promise<string>[] = [];

  constructor(served: Served) {
    this.#served = served;
  }

  /** One request for each of so many workers. Those that are not its worker are stopped meanwhile: nothing is left to chance. */
  async keepBusy(workers: number): Promise<void> {
    while (this.#answers.length < workers) {
      let all = await this.#workers();
      await until('an idle worker, or none', async () => {
        all = await this.#workers();
        return all.length === 0 || all.some(({ state, active }) => state === 'ready' && active === 0);
      });
      const idle = all.find(({ state, active }) => state === 'ready' && active === 0);
      const others = all.filter((one) => one !== idle).map(({ pid }) => pid);
      for (const pid of others) process.kill(pid, 'SIGSTOP');
      try {
        this.#answers.push(this.#served.ask(`/hold?until=${this.#file}`));
        await until('a busy worker', async () => {
          const busy = (await this.#workers()).filter(({ active }) => active > 0);
          return busy.length === this.#answers.length;
        });
      } finally {
        for (const pid of others) process.kill(pid, 'SIGCONT');
      }
    }
  }

  async #workers(): Promise<Status['workers']> {
    return (await this.#served.status()).workers;
  }

  /** Pids of those that have answered. */
  async release(): Promise<Set<string>> {
    writeFileSync(this.#file, '');
    return new Set(await Promise.all(this.#answers));
  }
}

describe.each(['spawn', 'fork'])('by method %s:', (method) => {
  const serve = (...args: string[]): Promise<Served> =>
    command.serve(command.write(`${method}.mjs`, ''), ['--method', method, ...args]);

  const workers = (served: Served, many: number): Promise<void> =>
    until(`${many} workers`, async () => (await served.pids()).length === many);

  test('static: as many as asked for, whatever they do, and a killed one is replaced', async () => {
    const served = await serve('--workers', '3');
    const before = await served.pids();
    expect(before).toHaveLength(3);
    const held = new Held(served);
    await held.keepBusy(3);
    expect(await served.status()).toMatchObject({ wanted: 3 });
    await held.release();
    process.kill(before[0] as number, 'SIGKILL');
    await until('another one', async () => {
      const { workers: all } = await served.status();
      return all.length === 3 && all.every(({ pid, state }) => pid !== before[0] && state === 'ready');
    });
    expect((await served.pids()).filter((pid) => before.includes(pid))).toHaveLength(2);
  });

  test('dynamic: grows with what workers are at, to --max-workers, and shrinks to --max-spare', async () => {
    const limits = ['--min-spare', '1', '--max-spare', '2', '--max-workers', '4'];
    const served = await serve('--scaling', 'dynamic', '--workers', '1', ...limits);
    expect(await served.pids()).toHaveLength(1);
    const held = new Held(served);
    await held.keepBusy(1);
    await workers(served, 2); // one to spare
    await held.keepBusy(4);
    const { wanted, workers: all } = await served.status();
    expect([wanted, all.length]).toEqual([4, 4]);
    expect((await held.release()).size).toBe(4);
    await workers(served, 2);
    expect(await served.status()).toMatchObject({ wanted: 2 });
  });

  test('ondemand: none without requests, one for a request, more for several, none again', async () => {
    const served = await serve('--scaling', 'ondemand', '--max-workers', '3', '--worker-idle', '800');
    await workers(served, 0);
    expect(childrenOf(served.process.pid)).toHaveLength(method === 'fork' ? 1 : 0); // the zygote has loaded it
    const pid = Number(await served.ask('/pid'));
    expect(isAlive(pid)).toBe(true);
    expect(await served.pids()).toEqual([pid]);
    const held = new Held(served);
    await held.keepBusy(3);
    expect(await served.status()).toMatchObject({ wanted: 3 });
    expect((await held.release()).size).toBe(3);
    await workers(served, 0);
    expect(await served.ask('/pid')).toMatch(/^\d+$/);
  });

  test('ondemand: requests that come together while there is no worker are all answered', async () => {
    const served = await serve('--scaling', 'ondemand', '--max-workers', '2', '--worker-idle', '200');
    await workers(served, 0);
    const answers = await Promise.all(Array.from({ length: 20 }, () => served.ask('/pid')));
    expect(answers.every((answer) => /^\d+$/.test(answer))).toBe(true);
  });

  test('--max-requests without jitter replaces a worker after exactly so many', async () => {
    const served = await serve('--max-requests', '3', '--max-requests-jitter', '0');
    const pids: string[] = [];
    for (let round = 0; round < 3; round++) {
      const answers = [await served.ask('/pid'), await served.ask('/pid')];
      const status = await served.status();
      expect(status.workers).toHaveLength(1); // two are not enough
      answers.push(await served.ask('/pid'));
      expect(new Set(answers).size).toBe(1);
      pids.push(answers[0] as string);
      await served.process.says(new RegExp(`"worker":${answers[0]},.*a worker is gone: exit code 0`));
    }
    expect(new Set(pids).size).toBe(3);
    expect(served.process.stderr).not.toContain('died');
  });
});

test.each([
  [['--max-requests', '0'], /--max-requests-strict needs --max-requests, of 1 or more/],
  [['--max-requests', '5', '--max-requests-jitter', '2'], /-strict leaves no room for --max-requests-jitter 2/],
  [['--max-requests', '5', '--method', 'single'], /-strict is for workers: --method single has none/],
])('--max-requests-strict with %j is refused with 1, and leaves no socket', async (args, message) => {
  const socket = command.name('.sock');
  const given = ['--max-requests-strict', '--listen', `unix:${socket}`, ...args];
  const { code, stderr } = await command.run(['serve', command.write('simple.mjs', ''), ...given]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(existsSync(socket)).toBe(false);
});

test('--max-requests-strict takes a jitter of 0', async () => {
  const words = ['--max-requests', '1', '--max-requests-strict', '--max-requests-jitter', '0'];
  const served = await command.serve(command.write('simple.mjs', ''), words);
  expect(await served.ask('/pid')).not.toBe(await served.ask('/pid'));
});

test.each([
  [['--min-spare', '4', '--max-spare', '3'], /--min-spare 4 is more than --max-spare 3/],
  [['--workers', '5', '--max-workers', '4'], /--workers 5 is more than --max-workers 4/],
])('dynamic with %j is refused with 1', async (args, message) => {
  const given = ['--scaling', 'dynamic', '--listen', `unix:${command.name('.sock')}`, ...args];
  const { code, stderr } = await command.run(['serve', command.write('simple.mjs', ''), ...given]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});
