// How many connections there are: maxConnections, those who wait, and connections that are borrowed for each statement.

import { setTimeout as delay } from 'node:timers/promises';
import { configureDatabases, connections, type Database } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(() => {
  const url = postgres.url();
  configureDatabases({
    fresh: { url, applicationName: 'fresh', maxConnections: 3 },
    kept: { url, applicationName: 'kept', maxConnections: 3, connMaxAge: null },
    one: { url, applicationName: 'one', maxConnections: 1, connMaxAge: null },
    hasty: { url, applicationName: 'hasty', maxConnections: 1, acquireTimeout: 300 },
    wrong: { url: postgres.url('nowhere'), maxConnections: 1, acquireTimeout: 5000 },
    pool: { url, applicationName: 'pool', maxConnections: 2, pool: true, connHealthChecks: true },
  });
});
afterAll(() => connections.closeAll());

const pid = async (database: Database) =>
  (await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number;
const range = (length: number) => Array.from({ length }, (_, i) => i);

describe.each(['fresh', 'kept'])('50 requests on 3 connections (%s)', (alias) => {
  test('all have their answer, and there are never more backends than 3', async () => {
    const database = connections.get(alias);
    let answers = 0;
    let most = 0;
    await Promise.all(
      range(50).map((i) =>
        connections.scope(async () => {
          const { rows } = await database.query<{ i: number; n: number }>(
            `SELECT $1::int AS i, count(*)::int AS n FROM pg_stat_activity WHERE application_name = '${alias}'`,
            [i],
          );
          answers++;
          expect(rows[0]?.i).toBe(i);
          most = Math.max(most, rows[0]?.n ?? 0);
          const { open, inUse, idle, waiting } = connections.stats()[alias] ?? {};
          expect(open).toBeLessThanOrEqual(3);
          expect((inUse ?? 0) + (idle ?? 0)).toBeLessThanOrEqual(open ?? 0);
          expect(waiting).toBeLessThanOrEqual(47);
          await delay(1);
        }),
      ),
    );
    expect(most).toBe(3);
    expect(answers).toBe(50);
    expect(connections.stats()[alias]).toMatchObject({ inUse: 0, waiting: 0, idle: alias === 'kept' ? 3 : 0 });
  });
});

describe('those who wait', () => {
  test.each(['one', 'hasty'])('have their turn in the order of asking, kept connections or not (%s)', async (alias) => {
    const order: number[] = [];
    const ask = (i: number): Promise<void> =>
      connections.scope(async () => {
        await connections.get(alias).query('SELECT 1');
        order.push(i);
      });
    await Promise.all(range(alias === 'one' ? 30 : 3).map(ask));
    expect(order).toEqual(range(order.length));
    expect(order.length).toBeGreaterThan(2);
  });

  test('are told after acquireTimeout', async () => {
    const database = connections.get('hasty');
    await connections.scope(async () => {
      await database.query('SELECT 1');
      const error = await rejection(connections.scope(() => database.query('SELECT 2')));
      expect(error).toMatchObject({ name: 'OperationalError', code: 'ACQUIRE_TIMEOUT' });
      expect(connections.stats()['hasty']).toMatchObject({ inUse: 1, waiting: 0 });
    });
    await connections.scope(() => database.query('SELECT 3'));
  });

  test('go on when a connection dies', async () => {
    const database = connections.get('one');
    await connections.scope(async () => {
      const first = await pid(database);
      const second = connections.scope(() => pid(database));
      await postgres.until('one waits', () => connections.stats()['one']?.waiting === 1);
      await postgres.admin('SELECT pg_terminate_backend($1)', [first]);
      expect(await second).not.toBe(first);
    });
  });

  test('go on when a connection is closed', async () => {
    const database = connections.get('one');
    const first = connections.scope(async () => {
      await database.query('SET search_path = nowhere'); // not kept
      await postgres.until('one waits', () => connections.stats()['one']?.waiting === 1);
      return pid(database);
    });
    const second = connections.scope(() => pid(database));
    expect(await second).not.toBe(await first);
  });

  test('each have the answer, where none can be opened', async () => {
    const database = connections.get('wrong');
    const errors = await Promise.all(
      range(5).map(() => rejection(connections.scope(() => database.query('SELECT 1')))),
    );
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED', sqlstate: '3D000' });
    }
    expect(connections.stats()['wrong']).toEqual({ open: 0, idle: 0, inUse: 0, waiting: 0, opened: 0, closed: 0 });
  });

  test('keep their turn, and their place, when the connection they get dies while it is asked', async () => {
    const database = connections.get('one');
    const order: string[] = [];
    let first = 0;
    const holder = connections.scope(async () => {
      first = await pid(database);
      await postgres.until('two wait', () => connections.stats()['one']?.waiting === 2);
      await database.query('SELECT no_such_column').catch(() => {}); // it is asked before it is used again
      process.kill(first, 'SIGSTOP');
    });
    const ask = (name: string): Promise<void> =>
      connections.scope(async () => {
        await database.query('SELECT pg_sleep(0.05)');
        expect(connections.stats()['one']).toMatchObject({ open: 1, inUse: 1 });
        order.push(name);
      });
    const asked = [ask('second'), ask('third')];
    try {
      await holder;
      expect(connections.stats()['one']).toMatchObject({ open: 1, waiting: 1 });
      await postgres.admin('SELECT pg_terminate_backend($1)', [first]);
    } finally {
      process.kill(first, 'SIGCONT');
    }
    await Promise.all(asked);
    expect(order).toEqual(['second', 'third']);
  });
});

describe('pool', () => {
  const database = () => connections.get('pool');

  test('20 requests at once share 2 connections, though each waits between its statements', async () => {
    let together = 0;
    let go!: () => void;
    const all = new Promise<void>((resolve) => (go = resolve));
    const pids = await Promise.all(
      range(20).map((i) =>
        connections.scope(async () => {
          const first = await pid(database());
          if (++together === 20) go();
          await all; // none can go on before each of them has had an answer
          const { rows } = await database().query('SELECT $1::int AS i', [i]);
          expect(rows).toEqual([{ i }]);
          return first;
        }),
      ),
    );
    expect(new Set(pids).size).toBe(2);
    expect(connections.stats()['pool']).toMatchObject({ open: 2, idle: 2, inUse: 0, opened: 2 });
  });

  test('a transaction keeps one connection', async () => {
    await Promise.all(
      range(10).map(() =>
        connections.scope(() =>
          database().transaction(async () => {
            const first = await pid(database());
            await delay(1);
            expect(await pid(database())).toBe(first);
            expect(connections.stats()['pool']?.inUse).toBeLessThanOrEqual(2);
          }),
        ),
      ),
    );
  });

  test.each([
    ['SET search_path = nowhere', 'SET'],
    ['CREATE TEMP TABLE t (n int)', 'CREATE'],
    ['SELECT pg_advisory_lock(1)', 'PG_ADVISORY_LOCK'],
    ['LISTEN news', 'LISTEN'],
    ['BEGIN', 'BEGIN'],
    ['SELECT 1; START TRANSACTION', 'BEGIN'],
  ])('what would be in the session of others is refused: %s', async (sql, command) => {
    const error = await rejection(connections.scope(() => database().query(sql)));
    expect(error).toMatchObject({ name: 'NotSupportedError', code: 'SESSION_STATE' });
    expect(error.message).toContain(`${command} changes the session`);
    const open = await postgres.admin(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pool' AND state <> 'idle'",
    );
    expect(open).toEqual([]);
  });

  test('what is local to a transaction is not refused', async () => {
    await connections.scope(() =>
      database().transaction(async () => {
        await database().query("SET LOCAL search_path = 'nowhere'");
        await database().query('SELECT pg_advisory_xact_lock(1)');
      }),
    );
    const { rows } = await connections.scope(() => database().query('SHOW search_path'));
    expect(rows).toEqual([{ search_path: '"$user", public' }]);
  });
});
