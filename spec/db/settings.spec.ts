// What is said of databases: settings that are refused with words, and those that arrive at the server.

import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { Connections } from '../../lib/db/connections.ts';
import { resolveSettings, type DatabaseSettings } from '../../lib/db/settings.ts';
import { postgresServer } from '../support/postgres.ts';

const SECRET = 'pass-4711';

describe('databases', () => {
  test.each<[string, unknown]>([
    ['a URL alone', 'postgres://localhost/db'],
    ['a URL without an alias', { url: 'postgres://localhost/db' }],
    ['settings without an alias', { host: 'localhost', port: 5432 }],
    ['a flag without an alias', { pool: true }],
  ])('are given by alias: %s is refused', (_, databases) => {
    expect(() => new Connections().configure(databases as never, {})).toThrow(/takes databases by alias/);
  });

  test('may be called as a setting is', () => {
    const databases = { pool: { url: 'postgres://localhost/db' }, user: 'postgres://localhost/db' };
    const made = new Connections().configure(databases, {});
    expect(made.aliases).toEqual(expect.arrayContaining(['pool', 'user']));
  });
});

describe('settings', () => {
  test('have defaults', () => {
    expect(resolveSettings('a', 'postgres://localhost/db')).toEqual({
      url: 'postgres://localhost/db',
      applicationName: 'postfork',
      sessionSettings: {},
      types: {},
      connMaxAge: 0,
      connHealthChecks: false,
      maxConnections: 10,
      pool: false,
      acquireTimeout: 30_000,
      connectTimeout: 10_000,
      queryTimeout: 0,
      cancelOnAbort: false,
      retryReads: false,
    });
  });

  test('with `pool` connections are kept, where nothing else is said', () => {
    expect(resolveSettings('a', { pool: true }).connMaxAge).toBeNull();
    expect(resolveSettings('a', { pool: true, connMaxAge: 5 }).connMaxAge).toBe(5);
    expect(resolveSettings('a', { pool: true, connMaxAge: undefined } as never).connMaxAge).toBeNull();
  });

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /give its settings, or its URL/],
    ['null', null, /give its settings, or its URL/],
    ['a number', 7, /give its settings, or its URL/],
    ['an unknown name', { uri: 'x' }, /no setting uri; there are acquireTimeout, applicationName/],
    ['the URL of something else', `mysql://root:${SECRET}@localhost/db`, /url is like postgres:\/\//],
    ['a URL without its scheme', `root:${SECRET}@localhost/db`, /url is like/],
    ['a URL with a port that is none', `postgres://root:${SECRET}@localhost:x/db`, /url is like/],
    ['a URL with # in the password', `postgres://root:${SECRET}#1@localhost/db`, /%-codes/],
    ['a URL with a # that makes a port of a password', `postgres://root:12#${SECRET}@localhost/db`, /%-codes/],
    ['a URL with %-codes that are none', `postgres://root:${SECRET}%E0%A4%A@localhost/db`, /%-codes/],
    ['an empty URL', '', /url is like/],
    ['a URL that is none', { url: new URL('postgres://localhost') }, /url is like/],
    ['a direct URL that is none', { directUrl: `x${SECRET}` }, /directUrl is like/],
    ['a host', { host: 1 }, /host is a string/],
    ['a port of 0', { port: 0 }, /port is a whole number/],
    ['a port as text', { port: '5432' }, /port is a whole number/],
    ['a password', { password: 4711 }, /password is a string, or a function/],
    ['ssl', { ssl: 'require' }, /ssl is true, false/],
    ['connMaxAge as text', { connMaxAge: '60' }, /connMaxAge is a number of seconds/],
    ['connMaxAge below 0', { connMaxAge: -1 }, /connMaxAge is a number of seconds/],
    ['connMaxAge of nothing', { connMaxAge: NaN }, /connMaxAge is a number of seconds/],
    ['maxConnections of 0', { maxConnections: 0 }, /maxConnections is a whole number from 1 on/],
    ['maxConnections of a half', { maxConnections: 1.5 }, /maxConnections is a whole number from 1 on/],
    ['a timeout below 0', { acquireTimeout: -1 }, /acquireTimeout is a number of ms from 0 to 2147483647/],
    ['a timeout longer than a timer', { connectTimeout: 2 ** 31 }, /connectTimeout is a number of ms/],
    ['a timeout as text', { queryTimeout: '5s' }, /queryTimeout is a number of ms/],
    [
      'no time to connect, which to the driver is all time',
      { connectTimeout: 0 },
      /connectTimeout is a number of ms from 1/,
    ],
    ['a flag as text', { pool: 'no' }, /pool is true or false/],
    ['types that are no functions', { types: { int8: 'number' } }, /types is an object of functions by type/],
    ['a type that is none', { types: { bigint: Number } }, /types has bigint, which is no name of pg_type's/],
    ['a type in capitals', { types: { INT8: Number } }, /types has INT8/],
    ['another pooler', { pooler: 'statement' }, /pooler is session or transaction/],
    ['a user beside a URL that has one', { url: 'postgres://a@b', user: 'c' }, /user is said by its URL/],
    ['session settings of objects', { sessionSettings: { a: {} } }, /sessionSettings is an object of strings/],
    ['session settings with blanks', { sessionSettings: { 'a -c b': 1 } }, /a -c b, which is no name/],
    ['session settings behind a pooler', { pooler: 'session', sessionSettings: { a: 1 } }, /ALTER ROLE/],
    [
      'session settings in two places',
      { url: `postgres://u:${SECRET}@h/db?options=-ca%3D1`, sessionSettings: { a: 1 } },
      /its URL has `options`/,
    ],
  ])('%s is refused', (_, given, words) => {
    const resolve = (): unknown => resolveSettings('replica', given as DatabaseSettings);
    expect(resolve).toThrow(TypeError);
    expect(resolve).toThrow(words);
    expect(resolve).toThrow(/^database replica: /);
    expect(() => {
      try {
        resolve();
      } catch (error) {
        throw new Error(String((error as Error).stack).includes(SECRET) ? 'it shows the password' : 'it does not');
      }
    }).toThrow('it does not');
  });

  test.each([
    'postgres://localhost',
    'postgresql://localhost:5433/db',
    'postgres:///db?host=/run/postgresql',
    'postgres://user@/db?host=/run/postgresql',
    'postgres://user:secret@/db',
    'postgres://%2Frun%2Fpostgresql/db',
    'postgres://user:p%40%23%2F@[::1]:5432/db',
    'postgres://user:p w@localhost/db',
    'postgres://localhost/db?sslmode=verify-full',
  ])('%s is a URL', (url) => {
    expect(resolveSettings('a', url).url).toBe(url);
  });
});

describe('databases', () => {
  const before = process.env['DATABASE_URL'];
  afterEach(() => {
    if (before === undefined) delete process.env['DATABASE_URL'];
    else process.env['DATABASE_URL'] = before;
  });

  test('DATABASE_URL alone is `default`', () => {
    process.env['DATABASE_URL'] = 'postgres://elsewhere/db';
    const found = new Connections().configure({}, {});
    expect(found.aliases).toEqual(['default']);
    expect(found.get().parts.settings.url).toBe('postgres://elsewhere/db');
  });

  test('DATABASE_URL is where `default` is, with the settings that are given', () => {
    process.env['DATABASE_URL'] = 'postgres://elsewhere/db';
    const found = new Connections().configure({ default: { connMaxAge: 7 }, other: 'postgres://other/db' }, {});
    expect(found.get().parts.settings).toMatchObject({ url: 'postgres://elsewhere/db', connMaxAge: 7 });
    expect(found.get('other').parts.settings.url).toBe('postgres://other/db');
  });

  test('where nothing says where it is, and nothing listens there, that is told', async () => {
    delete process.env['DATABASE_URL'];
    const found = new Connections().configure({ default: { port: 1 } }, {});
    await expect(found.scope(() => found.get().query('SELECT 1'))).rejects.toMatchObject({
      code: 'CONNECT_FAILED',
      message: expect.stringMatching(/^no connection to localhost:1, since DATABASE_URL is not set: /) as string,
    });
  });

  test('a `default` that says where it is does not look at DATABASE_URL', () => {
    process.env['DATABASE_URL'] = 'postgres://elsewhere/db';
    expect(new Connections().configure({ default: { host: '/run' } }, {}).get().parts.settings.url).toBeUndefined();
    expect(new Connections().configure({ default: 'postgres://a/b' }, {}).get().parts.settings.url).toBe(
      'postgres://a/b',
    );
  });

  test('none at all is said', () => {
    delete process.env['DATABASE_URL'];
    expect(() => new Connections().configure({}, {})).toThrow(/set DATABASE_URL, or call configureDatabases/);
    expect(() => new Connections().configure({ a: 'postgres://a/b' }, {}).get().parts).toThrow(
      /no database "default" is configured, there are a: call configureDatabases\({ default: { url } }\)/,
    );
  });

  test('twice is once too often', () => {
    const configured = new Connections().configure({ default: 'postgres://a/b' }, {});
    expect(() => configured.configure({ default: 'postgres://a/b' }, {})).toThrow(
      /was called before, or a database was used before it: once in a process[^]*The first call:\n +at .*settings\.spec/,
    );
    expect(configured.aliases).toEqual(['default']);
  });
});

describe('a server', () => {
  const postgres = postgresServer();
  const VALUE = `a "b" 'c' \\ d\\n  e=f -c x=y\tg`;

  beforeAll(() => {
    const { server } = postgres;
    const folder = encodeURIComponent(server.socketFolder);
    configureDatabases({
      default: {
        url: postgres.url(),
        applicationName: 'an app',
        sessionSettings: { 'spec.text': VALUE, 'spec.empty': '', statement_timeout: '5s', work_mem: 4096, jit: false },
      },
      query: `postgres://postgres@/postgres?host=${server.socketFolder}&port=${server.port}`,
      encoded: `postgres://postgres@${folder}:${server.port}/postgres`,
      parts: { host: server.socketFolder, port: server.port, user: 'postgres', database: 'postgres' },
      plain: `${postgres.url()}?sslmode=disable&application_name=by-url`,
      tls: { url: postgres.url(), ssl: { rejectUnauthorized: false } },
      types: { url: postgres.url(), types: { int8: BigInt, date: String, 1016: (text) => text, numeric: Number } },
      password: { url: postgres.url().replace(/:[^:@]*@/, '@'), password: async () => server.password as string },
    });
  });
  afterAll(() => connections.closeAll());

  test('is given session settings as they are, with blanks, quotes and backslashes', async () => {
    await connections.scope(async () => {
      const show = async (name: string): Promise<unknown> =>
        Object.values((await db.query(`SHOW ${name}`)).rows[0] ?? {})[0];
      expect(await show('spec.text')).toBe(VALUE);
      expect(await show('spec.empty')).toBe('');
      expect(await show('statement_timeout')).toBe('5s');
      expect(await show('work_mem')).toBe('4MB');
      expect(await show('jit')).toBe('off');
      expect(await show('application_name')).toBe('an app');
    });
  });

  test.each(['query', 'encoded', 'parts'])('is reached by its unix socket: %s', async (alias) => {
    await connections.scope(async () => {
      const { rows } = await connections.get(alias).query('SELECT inet_server_port() AS port');
      expect(rows).toEqual([{ port: null }]);
    });
  });

  test('is asked without TLS with sslmode=disable, and what the URL says counts', async () => {
    await connections.scope(async () => {
      const { rows } = await connections.get('plain').query("SELECT current_setting('application_name') AS name");
      expect(rows).toEqual([{ name: 'by-url' }]);
    });
  });

  test('that has no TLS is not asked without it', async () => {
    await connections.scope(async () => {
      await expect(connections.get('tls').query('SELECT 1')).rejects.toMatchObject({
        code: 'CONNECT_FAILED',
        message: expect.stringMatching(/does not support SSL.*sslmode=disable/) as string,
      });
    });
  });

  test('gives values of types as it is told to, and the others as pg does', async () => {
    const text = `SELECT 9007199254740993::int8 AS int8, '2026-11-23'::date AS date, '{1,2}'::int8[] AS array,
      1.5::numeric AS numeric, 7::int4 AS int4, null::int8 AS nothing, '{"a":1}'::jsonb AS json`;
    await connections.scope(async () => {
      const told = connections.get('types');
      const expected = {
        int8: 9_007_199_254_740_993n,
        date: '2026-11-23',
        array: '{1,2}',
        numeric: 1.5,
        int4: 7,
        nothing: null,
        json: { a: 1 },
      };
      expect((await told.query(text)).rows).toEqual([expected]);
      for await (const row of told.cursor(text)) expect(row).toEqual(expected);
      expect((await db.query(text)).rows).toMatchObject([{ int8: '9007199254740993', numeric: '1.5' }]);
    });
  });

  test('takes a password that is asked for with each connection', async () => {
    await connections.scope(async () => {
      expect((await connections.get('password').query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });
  });
});
