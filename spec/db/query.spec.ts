// Statements, their results, and whose connection they run on.

import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(() => {
  configureDatabases({ default: { url: postgres.url(), applicationName: 'app' } });
});
afterAll(() => connections.closeAll());

const backends = () => postgres.backends({ applicationName: 'app' });

test('gives rows, their number, the command and the fields', async () => {
  await connections.scope(async () => {
    const result = await db.query<{ n: number; t: string }>('SELECT $1::int AS n, $2::text AS t', [7, 'a']);
    expect(result.rows).toEqual([{ n: 7, t: 'a' }]);
    expect(result).toMatchObject({ rowCount: 1, command: 'SELECT' });
    expect(result.fields.map(({ name }) => name)).toEqual(['n', 't']);
    expect(Object.keys(result)).toEqual(['rows', 'rowCount', 'command', 'fields']); // nothing of the driver's
    expect(Object.keys(await db.query('SELECT 1; SELECT 2'))).toEqual(Object.keys(result));
  });
});

test('a request opens one connection at its first statement, and closes it at its end', async () => {
  const app = new Application();
  const seen: unknown[] = [];
  app.get('/', async () => {
    seen.push((await backends()).length);
    const pids = await Promise.all(
      [1, 2, 3].map(async () => (await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid),
    );
    seen.push(new Set(pids).size, (await backends()).length);
    return 'done';
  });
  expect((await app.inject('/')).status).toBe(200);
  expect(seen).toEqual([0, 1, 1]);
  await postgres.until('no connection is left', async () => (await backends()).length === 0);
});

test('two requests at once have a connection each', async () => {
  const app = new Application();
  let arrived = 0;
  let go!: () => void;
  const both = new Promise<void>((resolve) => (go = resolve));
  app.get('/', async () => {
    const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    if (++arrived === 2) go();
    await both;
    const again = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return { first: rows[0]?.pid, second: again.rows[0]?.pid };
  });
  const [a, b] = (await Promise.all([app.inject('/'), app.inject('/')])).map(
    (response) => JSON.parse(response.text()) as { first: number; second: number },
  );
  expect(a?.first).toBe(a?.second);
  expect(b?.first).toBe(b?.second);
  expect(a?.first).not.toBe(b?.first);
});

test('outside of a request there is no connection', async () => {
  await expect(db.query('SELECT 1')).rejects.toMatchObject({ name: 'InterfaceError', code: 'NO_SCOPE' });
});
