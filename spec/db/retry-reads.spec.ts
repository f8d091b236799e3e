// retryReads: a read that the connection was lost under is sent once again, where nothing can come of it but its answer.

import { configureDatabases, connections } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(async () => {
  const url = postgres.url();
  configureDatabases({
    kept: { url, applicationName: 'app', connMaxAge: null, retryReads: true },
    pool: { url, applicationName: 'app', pool: true, retryReads: true },
    without: { url, applicationName: 'app', connMaxAge: null },
  });
  await postgres.admin(
    'CREATE TABLE notes (note text); CREATE TABLE weather (calm boolean); INSERT INTO weather VALUES (false)',
  );
});
beforeEach(() => calm(false));
afterAll(() => connections.closeAll());

const LOST = { name: 'OperationalError', code: 'CONNECTION_LOST' };
// They last until their backend is ended, but behind the last of those that are to be.
const READ = 'SELECT pg_sleep(CASE WHEN calm THEN 0 ELSE 60 END), pg_backend_pid() AS pid FROM weather';
const WRITE = "INSERT INTO notes SELECT 'a' FROM weather, pg_sleep(CASE WHEN calm THEN 0 ELSE 60 END)";

const calm = (now: boolean) => postgres.admin('UPDATE weather SET calm = $1', [now]);

/** End the backend under each of so many statements, one after the other. */
async function kill(times: number): Promise<number[]> {
  const killed: number[] = [];
  while (killed.length < times) {
    const { pid } = await postgres.until('a statement sleeps', async () => {
      const asleep = await postgres.admin<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'app' AND wait_event = 'PgSleep'",
      );
      return asleep.find((backend) => !killed.includes(backend.pid));
    });
    killed.push(pid);
    if (killed.length === times) await calm(true);
    await postgres.admin('SELECT pg_terminate_backend($1)', [pid]);
  }
  return killed;
}

describe.each(['kept', 'pool'])('%s', (alias) => {
  const database = () => connections.get(alias);
  const read = () => database().query<{ pid: number }>(READ);
  const write = () => database().query(WRITE);
  const scope = <T>(fn: () => Promise<T>, times = 1) =>
    Promise.all([connections.scope(fn), kill(times)]).then(([result]) => result);

  test('the first read of a request is answered by a new connection', async () => {
    const [{ rows }, killed] = await Promise.all([connections.scope(read), kill(1)]);
    expect(rows[0]?.pid).toBeGreaterThan(0);
    expect(killed).not.toContain(rows[0]?.pid);
  });

  test('so is a later one, where all before it were reads', async () => {
    const { rows } = await scope(async () => {
      await database().query('SELECT 1');
      await database().transaction(() => database().query('SELECT 2'), { readOnly: true });
      return read();
    });
    expect(rows).toHaveLength(1);
  });

  test('once in a request', async () => {
    await connections.scope(async () => {
      await Promise.all([read(), kill(1)]);
      await calm(false);
      const [error] = await Promise.all([rejection(read()), kill(1)]);
      expect(error).toMatchObject(LOST);
    });
    await calm(false);
    expect(await scope(() => rejection(read()), 2)).toMatchObject(LOST);
  });

  test('not a write', async () => {
    expect(await scope(() => rejection(write()))).toMatchObject(LOST);
    expect(await postgres.admin('SELECT * FROM notes')).toEqual([]);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['a write', () => database().query("DELETE FROM notes WHERE note = 'none'")],
    ['COPY', () => database().copyFrom('COPY notes FROM STDIN', [])],
    ['a transaction', () => database().transaction(() => {})],
    ['what is not known to read', () => database().query('DO $$ BEGIN END $$')],
  ])('not behind %s', async (_, before) => {
    const error = await scope(async () => {
      await before();
      return rejection(read());
    });
    expect(error).toMatchObject(LOST);
  });

  test('not in a transaction', async () => {
    expect(await scope(() => rejection(database().transaction(read, { readOnly: true })))).toMatchObject(LOST);
  });
});

test('not without the setting', async () => {
  const [error] = await Promise.all([
    connections.scope(() => rejection(connections.get('without').query(READ))),
    kill(1),
  ]);
  expect(error).toMatchObject(LOST);
});
