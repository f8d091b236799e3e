// What one request leaves behind, and what it has not waited for, is nobody else's. An error that nobody owns fails the test it comes in: jest sees to it.

import { setTimeout as delay } from 'node:timers/promises';
import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections, db, type Database } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const warnings: string[] = [];
const about: object[] = [];

beforeAll(async () => {
  const url = postgres.url();
  const log = {
    warn: (fields: object, text: string) => void (about.push(fields), warnings.push(text)),
    error: () => {},
  };
  configureDatabases(
    {
      default: { url, applicationName: 'app', connMaxAge: null, maxConnections: 1 },
      many: { url, applicationName: 'many', connMaxAge: null, maxConnections: 6 },
      pool: { url, applicationName: 'many', pool: true, maxConnections: 6 },
      fresh: { url, applicationName: 'many', maxConnections: 6 },
    },
    { log },
  );
  await postgres.admin('CREATE TABLE notes (note text)');
});
afterAll(() => connections.closeAll());
beforeEach(() => void (warnings.splice(0), about.splice(0)));

const one = async <T>(sql: string, database: Database = db) =>
  Object.values((await database.query(sql)).rows[0] ?? {})[0] as T;
const sleeping = async () =>
  (await postgres.backends()).filter(({ query, state }) => state === 'active' && query.includes('pg_sleep'));

describe('what a request leaves in its session', () => {
  test.each([
    ['SET', 'SET search_path = nowhere', 'SHOW search_path', '"$user", public'],
    ['SET behind something else', "SELECT 1; SET work_mem = '1MB'", 'SHOW work_mem', '4MB'],
    ['SET ROLE', 'SET ROLE pg_monitor', 'SELECT current_user::text', 'postgres'],
    ['set_config', "SELECT set_config('work_mem', '2MB', false)", 'SHOW work_mem', '4MB'],
    ['a temporary table', 'CREATE TEMP TABLE left_over (n int)', "SELECT to_regclass('left_over')", null],
    ['LISTEN', 'LISTEN news', 'SELECT count(*)::int FROM pg_listening_channels()', 0],
    ['PREPARE', 'PREPARE left_over AS SELECT 1', 'SELECT count(*)::int FROM pg_prepared_statements', 0],
    [
      'a cursor WITH HOLD',
      'DECLARE left_over CURSOR WITH HOLD FOR SELECT 1',
      'SELECT count(*)::int FROM pg_cursors',
      0,
    ],
    [
      'an advisory lock',
      'SELECT pg_advisory_lock(42)',
      "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory'",
      0,
    ],
  ])('is not in that of the next: %s', async (_, sql, ask, answer) => {
    await connections.scope(() => db.query(sql));
    expect(await connections.scope(() => one(ask))).toBe(answer);
  });

  test('is not in that of the next: a transaction begun by hand, which is rolled back and told of', async () => {
    await connections.scope(async () => {
      await db.query('BEGIN');
      await db.query("INSERT INTO notes VALUES ('by hand')");
    });
    expect(warnings).toEqual([expect.stringContaining('ended within a transaction: it was rolled back')]);
    expect(await connections.scope(() => one('SELECT count(*)::int FROM notes'))).toBe(0);
    const open = await postgres.admin("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'");
    expect(open).toEqual([]);
  });

  test('is not in that of the next: a cursor that was not read to its end', async () => {
    await connections.scope(async () => {
      const rows = db.cursor('SELECT generate_series(1, 1000)', [], { batch: 10 });
      await rows.next();
    });
    expect(await connections.scope(() => one('SELECT count(*)::int FROM pg_cursors'))).toBe(0);
  });

  test('that was lost is missed: a transaction begun by hand does not go on as single statements', async () => {
    const work = connections.scope(async () => {
      await db.query('BEGIN');
      const pid = await one<number>('SELECT pg_backend_pid()');
      await postgres.admin('SELECT pg_terminate_backend($1)', [pid]);
      await postgres.until('its end is seen', () => connections.stats()['default']?.open === 0);
      const error = await rejection(db.query("INSERT INTO notes VALUES ('alone')"));
      expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECTION_LOST' });
      return one('SELECT 1'); // it is told of once
    });
    expect(await work).toBe(1);
    expect(await connections.scope(() => one('SELECT count(*)::int FROM notes'))).toBe(0);
  });
});

describe('a statement that nobody has waited for', () => {
  test('is cancelled on the server when its request ends, and its error ends no process', async () => {
    const app = new Application();
    app.get('/', async () => {
      void db.query('SELECT pg_sleep(60)');
      await postgres.until('it runs', async () => (await sleeping()).length === 1);
      return 'answer';
    });
    const before = performance.now();
    expect((await app.inject('/')).text()).toBe('answer');
    await postgres.until('it is cancelled', async () => (await sleeping()).length === 0);
    expect(performance.now() - before).toBeLessThan(5000);
    expect(warnings).toEqual([expect.stringContaining('ended while a statement of it ran: it is cancelled')]);
  });

  test('nor does that of those behind it, which are not sent', async () => {
    await connections.scope(async () => {
      void db.query('SELECT pg_sleep(60)');
      for (let i = 0; i < 5; i++) void db.query("INSERT INTO notes VALUES ('late')");
      void db.transaction(() => db.query("INSERT INTO notes VALUES ('late')"));
      void db.copyFrom('COPY notes FROM STDIN', ['late\n']);
      void db.notify('news');
      await postgres.until('the first runs', async () => (await sleeping()).length === 1);
    });
    expect(await connections.scope(() => one('SELECT count(*)::int FROM notes'))).toBe(0);
  });

  test('is told of, where its request ended before there was a connection to send it on', async () => {
    const app = new Application();
    app.get('/forgotten', () => {
      for (let i = 0; i < 3; i++) void connections.get('fresh').query("INSERT INTO notes VALUES ('forgotten')");
      return 'answer';
    });
    expect((await app.inject('/forgotten?text=value')).text()).toBe('answer');
    await postgres.until('it is told of', () => warnings.length > 0);
    expect(warnings).toEqual([expect.stringContaining('a statement was not sent')]); // once
    expect(about).toMatchObject([{ database: 'fresh', request: 'GET /forgotten', err: { code: 'SCOPE_ENDED' } }]);
    expect(await connections.scope(() => one('SELECT count(*)::int FROM notes'))).toBe(0);
  });

  test('is not sent when its connection is there after the end; the connection is for the next', async () => {
    let waiting: Promise<unknown> | undefined;
    await connections.scope(async () => {
      await db.query('SELECT 1'); // the only connection is taken
      const ended = connections.scope(() => {
        waiting = db.query("INSERT INTO notes VALUES ('late')");
      });
      await ended;
      expect(connections.stats()['default']?.waiting).toBe(1);
    });
    await expect(waiting).rejects.toMatchObject({ name: 'InterfaceError', code: 'SCOPE_ENDED' });
    expect(connections.stats()['default']).toMatchObject({ inUse: 0, waiting: 0 });
    expect(await connections.scope(() => one('SELECT count(*)::int FROM notes'))).toBe(0);
  });

  test('and comes after the end is refused', async () => {
    const app = new Application();
    let late: Promise<Error & { code?: string }> | undefined;
    app.get('/', () => {
      late = delay(20).then(() => rejection(db.query('SELECT 1')));
      return 'answer';
    });
    await app.inject('/');
    expect(await late).toMatchObject({ name: 'InterfaceError', code: 'SCOPE_ENDED' });
  });

  test('goes on in waitUntil', async () => {
    const app = new Application();
    let late: Promise<unknown> | undefined;
    app.get('/', (request) => {
      late = delay(20).then(() => one('SELECT 7'));
      request.waitUntil(late);
      return 'answer';
    });
    await app.inject('/');
    expect(await late).toBe(7);
  });
});

test('closeAll cancels what runs', async () => {
  const error = connections.scope(() => rejection(connections.get('many').query('SELECT pg_sleep(60)')));
  await postgres.until('it runs', async () => (await sleeping()).length === 1);
  await connections.closeAll();
  expect(await error).toMatchObject({ name: 'OperationalError' });
  await postgres.until('it is cancelled', async () => (await sleeping()).length === 0);
});

test.each(['many', 'pool', 'fresh'])(
  'of 300 requests that do not wait for all they ask for, each has its own answers (%s)',
  async (alias) => {
    const database = connections.get(alias);
    let random = 7;
    const chance = (): number => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647; // the same in each run
    let answers = 0;
    const ask = async (nonce: string): Promise<void> => {
      const { rows } = await database.query(`SELECT $1::text AS nonce, pg_sleep(${(chance() * 0.004).toFixed(4)})`, [
        nonce,
      ]);
      if (rows[0]?.['nonce'] !== nonce) throw new Error(`${nonce} got ${JSON.stringify(rows)}`);
      answers++;
    };
    const wrong: unknown[] = [];
    const own = (asked: Promise<unknown>): void =>
      void asked.catch((error: { code?: string; sqlstate?: string }) => {
        if (error.code !== 'SCOPE_ENDED' && error.sqlstate !== '57014' && error.code !== 'CONNECTION_LOST')
          wrong.push(error);
      });
    const request = (i: number): Promise<void> =>
      connections.scope(async () => {
        for (let j = 0; j < 4; j++) {
          const what = chance();
          if (what < 0.5) await ask(`${i}.${j}`);
          else if (what < 0.7) own(ask(`${i}.${j} late`));
          else if (what < 0.8) own(database.transaction(() => ask(`${i}.${j} transaction`)));
          else if (what < 0.9) await database.transaction(() => ask(`${i}.${j} transaction`));
          else void database.query('SELECT pg_advisory_xact_lock($1), pg_sleep(0.002)', [i]);
        }
      });
    const queue = Array.from({ length: 300 }, (_, i) => i);
    const worker = async (): Promise<void> => {
      for (let i = queue.shift(); i !== undefined; i = queue.shift()) await request(i);
    };
    await Promise.all(Array.from({ length: 24 }, worker));
    expect(wrong).toEqual([]);
    expect(answers).toBeGreaterThan(500);
    expect(connections.stats()[alias]).toMatchObject({ inUse: 0, waiting: 0 });
    await postgres.until('the server has cleaned up', async () =>
      (await postgres.backends()).every(({ state }) => state === 'idle'),
    );
    expect(await postgres.admin("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")).toEqual([]);
    expect((await postgres.backends({ applicationName: 'many' })).length).toBeLessThanOrEqual(12);
  },
  60_000,
);
