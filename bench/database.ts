// What our database connections cost above pg itself: statements a second, all ways interleaved: `npx tsx bench/database.ts --help`.

import { Command } from 'commander';
import pg from 'pg';
import { configureDatabases, connections } from '../lib/db/index.ts';
import { PostgresServer } from '../lib/lab/index.ts';
import { wholeNumber } from './support/arguments.ts';
import { median, pairedRatio } from './support/statistics.ts';
import { digits, formatTable } from './support/table.ts';

interface Options {
  rounds: number;
  requests: number;
  at: number;
}

/** One request: two statements, as a session and a page make. */
type Request = () => Promise<unknown>;

const TEXT = 'SELECT $1::int AS n';
const MOST = 10;
const CONNECTING = 5; // those that connect for each request are slow: fewer of them

const options = new Command('bench/database.ts')
  .description('Requests of two statements each a second, by pg itself and by us, on a PostgreSQL of its own.')
  .option('--rounds <n>', 'rounds; medians are printed', wholeNumber, 5)
  .option('--requests <n>', 'requests of each way in a round', wholeNumber, 2000)
  .option('--at <n>', 'requests at a time', wholeNumber, 8)
  .parse()
  .opts<Options>();

/** How many requests a second, `at` at a time. */
async function rate(request: Request, count: number, at: number): Promise<number> {
  let left = count;
  const begun = performance.now();
  const lane = async (): Promise<void> => {
    while (left-- > 0) await request();
  };
  await Promise.all(Array.from({ length: at }, lane));
  return count / ((performance.now() - begun) / 1000);
}

const scoped = (alias: string): Request => {
  const database = connections.get(alias);
  return () =>
    connections.scope(async () => {
      await database.query(TEXT, [1]);
      await database.query(TEXT, [2]);
    });
};

const server = await PostgresServer.create();
try {
  const url = server.url();
  const pool = new pg.Pool({ connectionString: url, max: MOST });
  const common = { url, maxConnections: MOST };
  configureDatabases({
    kept: { ...common, connMaxAge: null },
    checked: { ...common, connMaxAge: null, connHealthChecks: true },
    pool: { ...common, pool: true },
    closed: { ...common, connMaxAge: 0 },
  });
  // Each with the place in this list of what it is compared with.
  const ways: readonly [name: string, request: Request, peer: number][] = [
    [
      'pg: a client of a pool for the request',
      async () => {
        const client = await pool.connect();
        await client.query(TEXT, [1]);
        await client.query(TEXT, [2]);
        client.release();
      },
      0,
    ],
    ['connMaxAge: null', scoped('kept'), 0],
    ['with connHealthChecks', scoped('checked'), 0],
    [
      'pg: pool.query for each statement',
      async () => {
        await pool.query(TEXT, [1]);
        await pool.query(TEXT, [2]);
      },
      3,
    ],
    ['pool: true', scoped('pool'), 3],
    [
      'pg: a new client for the request',
      async () => {
        const client = new pg.Client(url);
        await client.connect();
        await client.query(TEXT, [1]);
        await client.query(TEXT, [2]);
        await client.end();
      },
      5,
    ],
    ['connMaxAge: 0', scoped('closed'), 5],
  ];
  const rates = ways.map((): Map<number, number> => new Map());
  for (let round = -1; round < options.rounds; round++) {
    process.stderr.write(round < 0 ? 'warming up\n' : `round ${round + 1} of ${options.rounds}\n`);
    for (const [at, [, request, peer]] of ways.entries()) {
      const count = peer === CONNECTING ? Math.ceil(options.requests / 10) : options.requests;
      const perSecond = await rate(request, count, options.at);
      if (round >= 0) rates[at]?.set(round, perSecond);
    }
  }
  const rows = ways.map(([name, , peer], at) => {
    const own = rates[at] as Map<number, number>;
    return [
      name,
      Math.round(median([...own.values()])).toString(),
      peer === at ? '' : digits(pairedRatio(own, rates[peer])),
    ];
  });
  console.log(formatTable(['', 'requests/s', 'times pg'], rows, 1));
  await connections.closeAll();
  await pool.end();
} finally {
  await server.remove();
}
