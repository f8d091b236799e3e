// Behind pgbouncer, in its session and its transaction mode. An error that nobody owns fails the test it comes in: jest sees to it.

import { setTimeout as delay } from 'node:timers/promises';
import { configureDatabases, connections } from '../../lib/db/index.ts';
import { resolveSettings } from '../../lib/db/settings.ts';
import { rejection } from '../support/client-and-application.ts';
import { pgbouncerServer, postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const session = pgbouncerServer(postgres, { poolMode: 'session', settings: { default_pool_size: '20' } });
const transaction = pgbouncerServer(postgres, {
  poolMode: 'transaction',
  settings: { default_pool_size: '4', server_lifetime: '1' },
});

beforeAll(() => {
  const log = { warn: () => {}, error: () => {} };
  configureDatabases(
    {
      session: { url: session.url(), pooler: 'session', connMaxAge: null },
      'session, fresh': { url: session.url(), pooler: 'session' },
      transaction: {
        url: transaction.url(),
        directUrl: postgres.url(),
        pooler: 'transaction',
        connMaxAge: null,
        maxConnections: 16,
      },
      'password, by a function': {
        url: transaction.url().replace(/:[^:@]*@/, '@'),
        directUrl: postgres.url().replace(/:[^:@]*@/, '@'),
        password: () => postgres.server.password as string,
        pooler: 'transaction',
      },
      'transaction, fresh': { url: transaction.url(), pooler: 'transaction', maxConnections: 16 },
      bounded: { url: transaction.url(), pooler: 'transaction', queryTimeout: 100 },
    },
    { log },
  );
});
afterAll(() => connections.closeAll());

const LOST = { name: 'OperationalError', code: 'CONNECTION_LOST' };
const sleeping = async () =>
  (await postgres.backends()).filter(({ query, state }) => state === 'active' && query.includes('pg_sleep'));

describe.each([
  ['session', session],
  ['session, fresh', session],
  ['transaction', transaction],
  ['transaction, fresh', transaction],
])('%s', (alias, pooler) => {
  const database = () => connections.get(alias);
  const number = async (sql: string) => Object.values((await database().query(sql)).rows[0] ?? {})[0];

  test('queries, transactions, cursors and COPY work', async () => {
    await postgres.admin('DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n int)');
    await connections.scope(async () => {
      expect(await database().copyFrom('COPY numbers FROM STDIN', ['1\n2\n', '3\n'])).toBe(3);
      expect((await database().query('SELECT n FROM numbers WHERE n > $1 ORDER BY n', [1])).rows).toEqual([
        { n: 2 },
        { n: 3 },
      ]);
      const seen: number[] = [];
      await database().transaction(async () => {
        await database().query('INSERT INTO numbers VALUES (4)');
        await rejection(
          database().transaction(async () => {
            await database().query('INSERT INTO numbers VALUES (5)');
            throw new Error('a savepoint');
          }),
        );
        for await (const { n } of database().cursor<{ n: number }>('SELECT n FROM numbers ORDER BY n', [], {
          batch: 2,
        })) {
          seen.push(n);
        }
      });
      expect(seen).toEqual([1, 2, 3, 4]);
      const pieces: Buffer[] = [];
      for await (const piece of database().copyTo('COPY (SELECT n FROM numbers ORDER BY n) TO STDOUT'))
        pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe('1\n2\n3\n4\n');
    });
  });

  test('statements with a name work for 16 requests at once, whatever server connection they get', async () => {
    const work = async (i: number): Promise<void> => {
      for (let j = 0; j < 20; j++) {
        await connections.scope(async () => {
          const { rows } = await database().query('SELECT $1::int AS i, $2::int AS j', [i, j], { name: 'i and j' });
          expect(rows).toEqual([{ i, j }]);
          await database().transaction(async () => {
            await database().query('SELECT $1::text AS t', ['a'], { name: `text ${i % 3}` });
          });
        });
        if (j === 10 && i === 0) await pooler.admin('RECONNECT');
        await delay(j === 15 ? 60 : 0); // past server_lifetime for those of transaction mode, together with what was before
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, i) => work(i)));
  });

  test('cancels what runs when its scope ends', async () => {
    await connections.scope(async () => {
      void database().query('SELECT pg_sleep(60)');
      await postgres.until('it runs', async () => (await sleeping()).length === 1);
    });
    await postgres.until('it is cancelled', async () => (await sleeping()).length === 0);
    expect(connections.stats()[alias]).toMatchObject({ inUse: 0 });
  });

  test.each([
    ['restarted', () => pooler.server.restart()],
    [
      'killed and started',
      async () => {
        await pooler.server.kill();
        await pooler.server.start();
      },
    ],
  ])(
    'pgbouncer is %s: requests in flight fail, the next work',
    async (_, act) => {
      await connections.scope(() => database().query('SELECT 1'));
      const inFlight = [1, 2].map(() => rejection(connections.scope(() => database().query('SELECT pg_sleep(60)'))));
      const within = rejection(
        connections.scope(() =>
          database().transaction(async () => {
            await database().query('SELECT pg_sleep(60)');
          }),
        ),
      );
      await postgres.until('they run', async () => (await sleeping()).length === 3);
      await act();
      for (const error of await Promise.all([...inFlight, within])) expect(error).toMatchObject(LOST);
      const next = Array.from({ length: 3 }, () => connections.scope(() => number('SELECT 1')));
      expect(await Promise.all(next)).toEqual([1, 1, 1]);
      await postgres.admin(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
      );
    },
    30_000,
  );

  test('a request that ends when pgbouncer has closed its connection is not harmed by it: close() may come twice', async () => {
    const result = await connections.scope(async () => {
      const answer = await number('SELECT 7');
      const mine = [...(database().store?.connections ?? [])].filter(({ inUse }) => inUse);
      expect(mine).toHaveLength(1);
      await pooler.server.kill();
      const twice = mine.flatMap((connection) => [connection.close(), connection.close()]);
      await Promise.all([...twice, pooler.server.start()]);
      await Promise.all(mine.map((connection) => connection.close()));
      return answer;
    });
    expect(result).toBe(7);
    expect(await connections.scope(() => number('SELECT 8'))).toBe(8);
  });
});

describe('in transaction mode', () => {
  const database = () => connections.get('transaction');

  test.each([
    'SET search_path = nowhere',
    'LISTEN news',
    'SELECT pg_advisory_lock(1)',
    'PREPARE p AS SELECT 1',
    'CREATE TEMP TABLE t (n int)',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  ])('what needs a session is refused: %s', async (sql) => {
    const error = await rejection(connections.scope(() => database().query(sql)));
    expect(error).toMatchObject({ name: 'NotSupportedError', code: 'SESSION_STATE' });
    expect(error.message).toContain('behind a pooler in transaction mode');
  });

  test('so it is in the query of a cursor, and of COPY', async () => {
    const drain = async (rows: AsyncGenerator): Promise<void> => {
      for await (const _ of rows);
    };
    const lock = 'SELECT pg_advisory_lock(1)::text';
    const refused = { name: 'NotSupportedError', code: 'SESSION_STATE' };
    await connections.scope(async () => {
      const reading = database().transaction(() => drain(database().cursor(lock)));
      await expect(reading).rejects.toMatchObject(refused);
      await expect(drain(database().copyTo(`COPY (${lock}) TO STDOUT`))).rejects.toMatchObject(refused);
    });
  });

  test('a cursor outside of a transaction is refused', async () => {
    const error = await rejection(connections.scope(() => database().cursor('SELECT 1').next()));
    expect(error).toMatchObject({ name: 'NotSupportedError', code: 'SESSION_STATE' });
  });

  test('a transaction begun by hand and left open is rolled back', async () => {
    await postgres.admin('CREATE TABLE by_hand (n int)');
    await connections.scope(async () => {
      await database().query('BEGIN');
      await database().query('INSERT INTO by_hand VALUES (1)');
    });
    expect(await postgres.admin('SELECT * FROM by_hand')).toEqual([]);
    expect(await postgres.admin("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in tr%'")).toEqual([]);
  });

  test('listening goes to the server itself, by directUrl', async () => {
    const listening = await database().listen('news');
    await connections.scope(() => database().notify('news', 'heard'));
    expect((await listening.next()).value).toMatchObject({ payload: 'heard' });
    await listening.close();
    const error = await rejection(connections.get('transaction, fresh').listen('news'));
    expect(error).toMatchObject({ name: 'NotSupportedError', code: 'SESSION_STATE' });
    expect(error.message).toContain('directUrl');
  });

  test('directUrl has the password that is asked for with each connection, where it has none of its own', async () => {
    const listening = await connections.get('password, by a function').listen('news');
    await connections.scope(() => database().notify('news', 'heard'));
    expect((await listening.next()).value).toMatchObject({ payload: 'heard' });
    await listening.close();
  });

  test('queryTimeout cancels on the server', async () => {
    const error = await rejection(connections.scope(() => connections.get('bounded').query('SELECT pg_sleep(60)')));
    expect(error).toMatchObject({ code: 'QUERY_TIMEOUT' });
    await postgres.until('it is cancelled', async () => (await sleeping()).length === 0);
  });
});

test.each(['cursor', 'copyTo'] as const)(
  'what %s leaves in the session is not kept for the next request',
  async (how) => {
    const database = connections.get('session');
    const lock = 'SELECT pg_advisory_lock(1)::text';
    await connections.scope(async () => {
      const rows = how === 'cursor' ? database.cursor(lock) : database.copyTo(`COPY (${lock}) TO STDOUT`);
      for await (const _ of rows);
      expect(await postgres.admin("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")).toHaveLength(1);
    });
    const locks = () => postgres.admin("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'");
    await postgres.until('it is unlocked', async () => (await locks()).length === 0);
  },
);

test('in session mode it can be listened through it', async () => {
  const listening = await connections.get('session').listen('news');
  await connections.scope(() => connections.get('session').notify('news', 'heard'));
  expect((await listening.next()).value).toMatchObject({ payload: 'heard' });
  await listening.close();
});

test.each(['session', 'transaction'] as const)('settings of the session are refused in %s mode', (pooler) => {
  const settings = { url: 'postgres://u@h/d', pooler, sessionSettings: { search_path: 'app' } };
  expect(() => resolveSettings('default', settings)).toThrow('sessionSettings do not pass a pooler');
});
