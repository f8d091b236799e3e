// connHealthChecks: kept connections are asked whether they are alive. What the server is asked stands in its log.

import { configureDatabases, connections } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer({ settings: { log_statement: 'all', log_line_prefix: '%a|' } });

beforeAll(() => {
  const url = postgres.url();
  const kept = { url, connMaxAge: null };
  configureDatabases({
    checked: { ...kept, applicationName: 'checked', connHealthChecks: true },
    pooled: { url, applicationName: 'pooled', connHealthChecks: true, pool: true, maxConnections: 1 },
    plain: { ...kept, applicationName: 'plain' },
    hung: { ...kept, applicationName: 'hung', connHealthChecks: true },
    errors: { ...kept, applicationName: 'errors' },
  });
});
afterAll(() => connections.closeAll());

const scope = <T>(fn: () => Promise<T>): Promise<T> => connections.scope(fn);
const pidOf = async (alias: string) =>
  (await connections.get(alias).query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number;

/** The statements of an application since `from`, as the server has logged them. */
async function asked(applicationName: string, from: number): Promise<string[]> {
  const mark = `mark ${Math.random()}`;
  await postgres.admin(`SELECT '${mark}'`);
  await postgres.until('the log is there', () => postgres.server.log.includes(mark));
  const lines = postgres.server.log.slice(from).split('\n');
  const logged = new RegExp(`^${applicationName}\\|LOG: +(?:statement|execute [^:]+): (.*)`);
  return lines.flatMap((line) => logged.exec(line)?.[1] ?? []);
}

test('once in each request that uses the database; not on a new connection, not in a request that does not use it', async () => {
  const from = postgres.server.log.length;
  const database = connections.get('checked');
  await scope(() => database.query('SELECT 11'));
  await scope(async () => {});
  await scope(async () => {
    await database.query('SELECT 12');
    await database.query('SELECT 13');
  });
  expect(await asked('checked', from)).toEqual(['SELECT 11', 'SELECT 1', 'SELECT 12', 'SELECT 13']);
});

test('once in each request where connections are borrowed too', async () => {
  const from = postgres.server.log.length;
  const database = connections.get('pooled');
  await scope(() => database.query('SELECT 11'));
  await scope(async () => {
    await database.query('SELECT 12');
    await database.query('SELECT 13');
  });
  expect(await asked('pooled', from)).toEqual(['SELECT 11', 'SELECT 1', 'SELECT 12', 'SELECT 13']);
});

test('without the setting only behind an error, which may have been its end', async () => {
  const from = postgres.server.log.length;
  const database = connections.get('errors');
  await scope(() => database.query('SELECT 11'));
  await scope(() => database.query('SELECT nothing').catch(() => {}));
  await scope(() => database.query('SELECT 12'));
  await scope(() => database.query('SELECT 13'));
  expect(await asked('errors', from)).toEqual(['SELECT 11', 'SELECT nothing', 'SELECT 1', 'SELECT 12', 'SELECT 13']);
});

test.each(['checked', 'plain'])(
  'one that was ended between requests is replaced, and nobody notices (%s)',
  async (alias) => {
    const first = await scope(() => pidOf(alias));
    await postgres.admin('SELECT pg_terminate_backend($1)', [first]);
    await postgres.until('its end is seen', () => connections.stats()[alias]?.open === 0);
    expect(await scope(() => pidOf(alias))).not.toBe(first);
  },
);

test('one that does not answer is found, and replaced', async () => {
  const first = await scope(() => pidOf('hung'));
  process.kill(first, 'SIGSTOP');
  try {
    const before = performance.now();
    expect(await scope(() => pidOf('hung'))).not.toBe(first);
    expect(performance.now() - before).toBeLessThan(9000); // 5 s to answer, 2 s to be cancelled
    expect(connections.stats()['hung']).toMatchObject({ open: 1, opened: 2, closed: 1 });
  } finally {
    process.kill(first, 'SIGCONT');
  }
}, 15_000);
