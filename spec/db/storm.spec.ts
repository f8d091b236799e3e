// 10,000 requests, 32 at a time, while whatever can go wrong does: nobody is given another one's rows, nothing is written by half, and
// nothing is left behind.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientError } from '../../lib/client/index.ts';
import { commands, get, type Served } from '../commands/served.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const command = commands();

const REQUESTS = 5000; // of each method
const AT_ONCE = 32;
const WORKERS = 2;
const ABORTED = 0.05; // of the requests
const STRIKE = 50; // ms between two backends that are ended
const REST = 100; // ms behind a failure to connect: what is not there is not asked in a narrow loop
const LATE = 180_000;

const ALIASES = ['closed', 'kept', 'pool'] as const;
const MOST: Readonly<Record<string, number>> = {
  'storm-closed': 0,
  'storm-kept': 10 * WORKERS,
  'storm-pool': 4 * WORKERS,
};
/** What requests do, by their share. */
type Kind = keyof typeof SHARES;
const SHARES = { read: 30, stream: 15, commit: 30, fail: 10, begin: 7, loose: 4, looseTransaction: 4 };
const KINDS = Object.entries(SHARES).flatMap(([kind, share]) => Array<Kind>(share).fill(kind as Kind));
/** What a request may fail by that asks when backends end: of OperationalError. */
const EXPLAINED = ['CONNECT_FAILED', 'CONNECTION_LOST', 'COMMIT_UNKNOWN'];

beforeAll(async () => {
  await postgres.admin('CREATE TABLE storm (nonce text, part int)');
});
afterEach(() => postgres.admin('TRUNCATE storm'));

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How a request ended, and how many rows it may have left. */
interface End {
  how: 'answered' | 'failed' | 'refused' | 'aborted' | 'cut';
  /** The code, where it was refused. */
  code?: string;
  rows: readonly number[];
}

interface Storm {
  ends: Map<string, End>;
  /** What nobody can explain. */
  wrong: string[];
}

/** What became of one request. Throws for what cannot be explained by any fault. */
function endOf(kind: Kind, nonce: string, status: number, text: string): End {
  const whole = kind === 'commit' ? [2] : [0];
  if (status === 200) {
    const { nonce: own, seen } = JSON.parse(text) as { nonce: string; seen: string[] };
    if (own !== nonce || seen.length === 0 || seen.some((one) => one !== nonce))
      throw new Error(`another one's: ${text}`);
    return { how: 'answered', rows: whole };
  }
  if (status !== 500) throw new Error(`${status}: ${text}`);
  if (!text.startsWith('{')) {
    if (kind !== 'fail' && kind !== 'begin') throw new Error(`an error of nobody's: ${text}`);
    return { how: 'failed', rows: [0] };
  }
  const { name, code } = JSON.parse(text) as { name: string; code: string };
  if (name !== 'OperationalError' || !EXPLAINED.includes(code)) throw new Error(text);
  return { how: 'refused', code, rows: code === 'COMMIT_UNKNOWN' ? [0, 2] : [0] };
}

async function load(served: Served, random: () => number, onDone: (done: number) => void): Promise<Storm> {
  const storm: Storm = { ends: new Map(), wrong: [] };
  let begun = 0;
  const client = async (): Promise<void> => {
    while (begun < REQUESTS) {
      const nonce = `n${begun++}`;
      const alias = ALIASES[Math.floor(random() * ALIASES.length)] as string;
      const drawn = KINDS[Math.floor(random() * KINDS.length)] as Kind;
      const kind = alias === 'pool' && drawn === 'begin' ? 'fail' : drawn; // it is refused there
      const abort = random() < ABORTED ? new AbortController() : undefined;
      const timer = setTimeout(() => abort?.abort(), random() * 30);
      const end = await ask(served, kind, alias, nonce, abort?.signal).catch((error: unknown) => {
        storm.wrong.push(`${kind} ${alias} ${nonce}: ${String(error)}`);
      });
      clearTimeout(timer);
      if (end !== undefined) storm.ends.set(nonce, end);
      onDone(storm.ends.size);
      if (end?.code === 'CONNECT_FAILED' || end?.how === 'cut') await delay(REST);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, client));
  return storm;
}

async function ask(served: Served, kind: Kind, alias: string, nonce: string, signal?: AbortSignal): Promise<End> {
  const either = kind === 'commit' ? [0, 2] : [0];
  let status: number;
  let text: string;
  try {
    const response = await served.client.request({
      ...get(`/${kind}/${alias}/${nonce}`),
      retry: false,
      ...(signal && { signal }),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { how: signal?.aborted === true ? 'aborted' : 'cut', code: error.code, rows: either };
  }
  return endOf(kind, nonce, status, text);
}

/** The faults, each at its share of the requests. */
function faults(served: Served, strike: { paused: boolean }): [share: number, fault: () => Promise<void>][] {
  const restart = async (mode: 'fast' | 'immediate'): Promise<void> => {
    strike.paused = true;
    await postgres.server.restart(mode);
    strike.paused = false;
  };
  const kill = async (): Promise<void> => {
    const [pid] = await served.pids();
    process.kill(pid as number, 'SIGKILL');
  };
  const reload = async (): Promise<void> => served.process.signal('SIGHUP');
  return [
    [0.1, kill],
    [0.25, () => restart('fast')],
    [0.4, reload],
    [0.55, kill],
    [0.7, () => restart('immediate')],
    [0.85, reload],
  ];
}

describe.each(process.platform === 'linux' ? ['fork', 'spawn'] : ['spawn'])('%s', (method) => {
  test(
    'each has its own rows, what is committed is there, and nothing is left behind',
    async () => {
      const random = randomOf(method === 'fork' ? 4 : 5);
      const words = ['--method', method, '--workers', String(WORKERS), '--log-level', 'info'];
      const environ = { DATABASE_URL: postgres.server.socketUrl() }; // hashing passwords is not what is tried
      const served = await command.serve(join(__dirname, 'programs/storm.mjs'), words, { environ });

      const strike = { paused: false, over: false, hit: 0 };
      const strikes = (async () => {
        while (!strike.over) {
          await delay(STRIKE);
          if (strike.paused) continue;
          const rows = await postgres
            .admin<{ hit: boolean }>(
              `SELECT pg_terminate_backend(pid) AS hit FROM pg_stat_activity WHERE application_name LIKE 'storm-%'
               ORDER BY md5(pid::text || $1) LIMIT 1`,
              [String(random())],
            )
            .catch(() => []);
          if (rows[0]?.hit === true) strike.hit++;
        }
      })();
      const left = faults(served, strike);
      const running: Promise<void>[] = [];
      const storm = await load(served, random, (done) => {
        const [next] = left;
        if (next === undefined || done < next[0] * REQUESTS) return;
        left.shift();
        running.push(next[1]());
      });
      strike.over = true;
      await Promise.all([...running, strikes]);
      expect(left).toEqual([]);

      // The answers.
      const count = (how: End['how']): number => [...storm.ends.values()].filter((end) => end.how === how).length;
      expect(storm.wrong).toEqual([]);
      expect(storm.ends.size).toBe(REQUESTS);
      expect(count('answered')).toBeGreaterThan(REQUESTS / 2);
      expect(count('cut')).toBeLessThanOrEqual(2 * AT_ONCE); // by the two workers that were killed
      expect(strike.hit).toBeGreaterThan(10);
      expect(count('refused')).toBeGreaterThan(0);

      // The rows.
      const written = new Map(
        (
          await postgres.admin<{ nonce: string; parts: string }>(
            "SELECT nonce, string_agg(part::text, ',' ORDER BY part) AS parts FROM storm GROUP BY nonce",
          )
        ).map(({ nonce, parts }) => [nonce, parts]),
      );
      const amiss = [...storm.ends].filter(([nonce, { rows }]) => {
        const parts = written.get(nonce);
        return !rows.includes(parts === undefined ? 0 : parts === '1,2' ? 2 : -1);
      });
      expect(amiss.map(([nonce, end]) => ({ nonce, ...end, parts: written.get(nonce) }))).toEqual([]);

      // What is left.
      await postgres.until('no transaction and no lock is left', async () => {
        const [row] = await postgres.admin<{ count: number }>(
          `SELECT count(*)::int AS count FROM pg_stat_activity a LEFT JOIN pg_locks l USING (pid)
           WHERE a.application_name LIKE 'storm-%' AND (a.state <> 'idle' OR a.xact_start IS NOT NULL OR l.pid IS NOT NULL)`,
        );
        return row?.count === 0;
      });
      for (const [applicationName, most] of Object.entries(MOST)) {
        await postgres.until(`${applicationName} has no more than ${most}`, async () => {
          return (await postgres.backends({ applicationName })).length <= most;
        });
      }
      await postgres.until('both workers serve', async () => {
        const { workers } = await served.status();
        return workers.length === WORKERS && workers.every(({ state }) => state === 'ready');
      });
      // The application still works, and counts its connections right.
      for (const alias of ALIASES) {
        const end = await ask(served, 'commit', alias, `after-${alias}`);
        expect(end.how).toBe('answered');
      }
      expect(served.process.stderr).not.toMatch(/unhandled|outside of any request|Error calling|takes too long/i);
      await served.process.stop('SIGTERM');
      await postgres.until('no backend is left', async () => (await postgres.backends()).length === 0);
    },
    LATE,
  );
});
