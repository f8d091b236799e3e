// What pgbouncer refuses, and what it leaves of a migration: errors that say what to do, and nothing for others.

import { writeFile } from 'node:fs/promises';
import { configureDatabases, connections, migrate } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { pgbouncerServer, postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

const postgres = postgresServer();
const small = pgbouncerServer(postgres, {
  poolMode: 'transaction',
  settings: {
    default_pool_size: '1',
    max_client_conn: '3',
    query_wait_timeout: '0.5',
    idle_transaction_timeout: '0.5',
  },
});
const single = pgbouncerServer(postgres, { settings: { pool_mode: 'statement' } });

const folder = temporaryFolder();

beforeAll(() => {
  const pooler = 'transaction';
  const url = small.url();
  configureDatabases({
    small: { url, pooler },
    'not told of': { url },
    'with options': { url: `${url}?options=-c%20search_path%3Dapp`, pooler },
    'wrong password': { url: url.replace(/:[^:@]*@/, ':wrong@'), pooler },
    'no database': { url: small.url('nowhere'), pooler },
    'no TLS': { url, pooler, ssl: true },
    single: { url: single.url(), pooler },
  });
});
afterAll(() => connections.closeAll());

const inScope = <T>(alias: string, work: (database: ReturnType<typeof connections.get>) => Promise<T>): Promise<T> =>
  connections.scope(() => work(connections.get(alias)));

test.each([
  ['with options', 'unsupported startup parameter: options; pgbouncer takes no settings of a session'],
  ['wrong password', "SASL authentication failed; check user and password, and pgbouncer's auth_file"],
  ['no database', 'database "nowhere" does not exist; check the name, and [databases]'],
  ['no TLS', 'does not support SSL connections; give `ssl: false`'],
])('%s: no connection, and what to do', async (alias, words) => {
  const error = await rejection(inScope(alias, (database) => database.query('SELECT 1')));
  expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED' });
  expect(error.message).toContain(words);
});

test('too many clients, and none of its connections free: each is told', async () => {
  const asked = Array.from({ length: 5 }, () =>
    inScope('small', (database) => database.query('SELECT pg_sleep(1.2)')).then(() => 'answered', String),
  );
  const answers = (await Promise.all(asked)).toSorted();
  const full = /^OperationalError: no connection to .*: no more connections allowed \(max_client_conn\); raise it/;
  const waited = /^OperationalError: query_wait_timeout; pgbouncer had no server connection free for that long/;
  expect(answers.filter((answer) => answer === 'answered')).toHaveLength(1);
  expect(answers.filter((answer) => full.test(answer))).toHaveLength(2);
  expect(answers.filter((answer) => waited.test(answer))).toHaveLength(2);
});

test('a connection that is lost between two statements says why', async () => {
  const idle = inScope('small', (database) =>
    database.transaction(async () => {
      await database.query('SELECT 1');
      const [mine] = database.store?.connections ?? [];
      await mine?.closed; // by idle_transaction_timeout
      await database.query('SELECT 2');
    }),
  );
  const error = await rejection(idle);
  expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECTION_LOST' });
  expect(error).toMatchObject({ cause: { cause: { message: 'idle transaction timeout', sqlstate: '08P01' } } });
});

test('in statement mode there are no transactions, and NotSupportedError says so', async () => {
  expect((await inScope('single', (database) => database.query('SELECT 1 AS n'))).rows).toEqual([{ n: 1 }]);
  const error = await rejection(inScope('single', (database) => database.transaction(() => {})));
  expect(error).toMatchObject({ name: 'NotSupportedError', code: 'CONNECTION_LOST' });
  expect(error.message).toContain('; set pool_mode = transaction in pgbouncer');
});

test('a prepared statement that is there already: what to set is said', async () => {
  const prepared = (): Promise<unknown> =>
    inScope('not told of', (database) => database.query('SELECT 1', [], { name: 'one' }));
  await prepared();
  const error = await rejection(prepared());
  expect(error).toMatchObject({ name: 'ProgrammingError', code: 'REFUSED', sqlstate: '42P05', queryName: 'one' });
  expect(error.message).toContain("pooler: 'transaction'");
});

test("a migration's settings are its own, also behind a pooler that nobody has told of", async () => {
  const dumped = "SET statement_timeout = 1234; SELECT pg_catalog.set_config('search_path', '', false);";
  await writeFile(folder.join('0001_notes.sql'), `${dumped} CREATE ROLE bob; SET ROLE bob;`);
  await writeFile(folder.join('0002_more.sql'), 'CREATE TABLE notes (n int);');
  await migrate({ folders: [folder.path], database: 'not told of' });
  const { rows } = await inScope('small', (database) =>
    database.query(
      "SELECT current_setting('statement_timeout') AS timeout, current_user AS name FROM notes RIGHT JOIN (SELECT) ON true",
    ),
  );
  expect(rows).toEqual([{ timeout: '0', name: 'postgres' }]);
});
