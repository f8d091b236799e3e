// db.release(): a connection that is given back before its request ends.

import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(async () => {
  const one = { url: postgres.url(), maxConnections: 1, acquireTimeout: 50 };
  const databases = {
    default: { ...one, connMaxAge: null, connHealthChecks: true },
    closed: one,
    pool: { ...one, pool: true },
  };
  configureDatabases(databases, { log: { warn: () => {}, error: () => {} } });
  await postgres.admin('CREATE TABLE notes (n int)');
});
afterAll(() => connections.closeAll());

const pidOf = async (database = db): Promise<unknown> =>
  (await database.query('SELECT pg_backend_pid() AS pid')).rows[0]?.['pid'];
const inUse = (alias = 'default') => connections.stats()[alias]?.inUse;

test('others can have it, and the next statement takes one again', async () => {
  await connections.scope(async () => {
    const pid = await pidOf();
    await expect(connections.scope(() => pidOf())).rejects.toMatchObject({ code: 'ACQUIRE_TIMEOUT' });
    expect(await db.release()).toBe(true);
    expect(inUse()).toBe(0);
    expect(await connections.scope(() => pidOf())).toBe(pid);
    expect(await pidOf()).toBe(pid);
    expect(inUse()).toBe(1);
    expect([await db.release(), await db.release()]).toEqual([true, true]);
  });
});

test('it waits for what was asked for before it, and what is asked for after it waits for it', async () => {
  await connections.scope(async () => {
    const [first, given, second] = await Promise.all([pidOf(), db.release(), pidOf()]);
    expect([first, given]).toEqual([second, true]);
  });
});

test('one that was given back is asked whether it is alive when it is taken again', async () => {
  await connections.scope(async () => {
    const pid = await pidOf();
    await db.release();
    await postgres.admin('SELECT pg_terminate_backend($1)', [pid]);
    expect(await pidOf()).not.toBe(pid);
  });
});

test('with connMaxAge 0 it is closed', async () => {
  const closed = connections.get('closed');
  await connections.scope(async () => {
    const pid = await pidOf(closed);
    expect(await closed.release()).toBe(true);
    expect(connections.stats()['closed']).toMatchObject({ open: 0, closed: 1 });
    expect(await pidOf(closed)).not.toBe(pid);
  });
});

test('with `pool`, and where there is none, there is nothing to give back', async () => {
  await connections.scope(async () => {
    const pool = connections.get('pool');
    expect(await pool.release()).toBe(true);
    await pidOf(pool);
    expect([await pool.release(), inUse('pool')]).toEqual([true, 0]);
  });
});

describe('it is kept', () => {
  afterEach(() => postgres.admin('TRUNCATE notes'));

  test('in a transaction, which goes on', async () => {
    await connections.scope(async () => {
      await db.transaction(async () => {
        await db.query('INSERT INTO notes VALUES (1)');
        expect(await db.release()).toBe(false);
        await db.transaction(async () => expect(await db.release()).toBe(false));
        await db.query('INSERT INTO notes VALUES (2)');
      });
      expect(await db.release()).toBe(true);
    });
    expect(await postgres.admin('SELECT n FROM notes')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test.each(['BEGIN', 'SET work_mem = 1024', 'CREATE TEMP TABLE mine (n int)'])(
    'with the state of %s',
    async (text) => {
      await connections.scope(async () => {
        await db.query(text);
        const pid = await pidOf();
        expect(await db.release()).toBe(false);
        expect(await pidOf()).toBe(pid);
        await db.query('ROLLBACK');
      });
    },
  );

  test('while a cursor is open', async () => {
    await connections.scope(async () => {
      const seen: unknown[] = [];
      for await (const { n } of db.cursor('SELECT generate_series(1, 3) AS n', [], { batch: 1 })) {
        seen.push(n, await db.release());
      }
      expect(seen).toEqual([1, false, 2, false, 3, false]);
      expect(await db.release()).toBe(true);
    });
  });
});

test('in a scope that is over it is an error', async () => {
  let release: Promise<unknown> | undefined;
  await connections.scope(() => {
    setTimeout(() => void (release = db.release().catch((error: unknown) => error)), 1);
  });
  await postgres.until('it was asked', () => release !== undefined);
  await expect(release).resolves.toMatchObject({ name: 'InterfaceError', code: 'SCOPE_ENDED' });
});
