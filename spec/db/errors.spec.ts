// Errors: their classes and fields, what logs show of them, where they come from, and connections that cannot be made.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import pino from 'pino';
import { configureDatabases, connections, db, PostgresError } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

const postgres = postgresServer();
const folder = temporaryFolder();
const SECRET = 'pass-4711';
let silent: Server;
let starting: Server;
let closing: Server;

beforeAll(async () => {
  silent = await serve(() => {});
  closing = await serve((socket) => socket.end());
  starting = await serve((socket) => socket.end(fatal('57P03', 'the database system is starting up')));
  const { port } = postgres.server;
  const at = (server: Server): string =>
    `postgres://root:${SECRET}@127.0.0.1:${(server.address() as AddressInfo).port}/db`;
  const gone = await serve(() => {});
  const refused = (gone.address() as AddressInfo).port;
  await new Promise((resolve) => gone.close(resolve));
  configureDatabases(
    {
      default: postgres.url(),
      refused: `postgres://root:${SECRET}@127.0.0.1:${refused}/db`,
      both: `postgres://root:${SECRET}@localhost:${refused}/db`,
      socket: { host: folder.path, password: SECRET },
      database: postgres.url('nowhere'),
      password: `postgres://postgres:${SECRET}@127.0.0.1:${port}/postgres`,
      none: `postgres://postgres@127.0.0.1:${port}/postgres`,
      silent: { url: at(silent), connectTimeout: 100 },
      starting: at(starting),
      closing: at(closing),
      setting: { url: postgres.url(), sessionSettings: { work_mem: 'much' } },
      authority: { url: `${postgres.url()}?sslrootcert=${folder.join('none.pem')}&sslmode=verify-full` },
      host: `postgres://root:${SECRET}@nowhere.invalid/db`,
    },
    { log: { warn: () => {}, error: () => {} } },
  );
  await postgres.admin(SETUP);
});
afterAll(async () => {
  await connections.closeAll();
  for (const server of [silent, starting, closing]) server.close();
});

const SETUP = `
  CREATE TYPE mood AS ENUM ('sad', 'ok');
  CREATE TABLE people (
    id int PRIMARY KEY, name varchar(20) CONSTRAINT people_name UNIQUE, age int NOT NULL DEFAULT 1 CONSTRAINT grown CHECK (age > 0),
    boss int CONSTRAINT has_boss REFERENCES people, feels mood
  );
  CREATE TABLE stays (during int4range, CONSTRAINT alone EXCLUDE USING gist (during WITH &&));
  CREATE VIEW adults AS SELECT * FROM people WHERE age > 17 WITH CHECK OPTION;
  CREATE FUNCTION quote(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %, really', $1 USING DETAIL = $1, HINT = $1; END $$;
  CREATE FUNCTION own(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no %', $1 USING ERRCODE = 'MY001', HINT = $1; END $$;
  CREATE FUNCTION like_lost(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'gone' USING ERRCODE = $1; END $$;
  CREATE FUNCTION inner_sql(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SELECT ' || quote_literal($1) || '::int'; END $$;
  CREATE FUNCTION down() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN down(); END $$;
  CREATE ROLE nobody_much;
  CREATE TABLE closed (id int);
  CREATE SCHEMA plain;
  INSERT INTO people (id, name) VALUES (1, 'taken');
`;

describe('what the server refuses', () => {
  test.each<[string, string, string, object?]>([
    ['0A000', 'NotSupportedError', 'SELECT count(DISTINCT id) OVER () FROM people'],
    ['21000', 'ProgrammingError', 'SELECT (SELECT 1 UNION SELECT 2)'],
    ['22001', 'DataError', "INSERT INTO people (id, name) VALUES (2, repeat('x', 30))"],
    ['22003', 'DataError', 'SELECT 100000 * 100000'],
    ['22007', 'DataError', "SELECT 'x'::date"],
    ['22008', 'DataError', "SELECT '2020-13-45'::date"],
    ['22012', 'DataError', 'SELECT 1 / 0'],
    ['22023', 'DataError', "SELECT now() AT TIME ZONE 'nowhere'"],
    ['22P02', 'DataError', "SELECT 'x'::mood"],
    ['2201B', 'DataError', "SELECT 'a' ~ '('"],
    [
      '23502',
      'IntegrityError',
      'INSERT INTO people (id, age) VALUES (2, NULL)',
      { table: 'people', column: 'age', schema: 'public' },
    ],
    [
      '23503',
      'IntegrityError',
      'INSERT INTO people (id, boss) VALUES (2, 99)',
      { table: 'people', constraint: 'has_boss' },
    ],
    ['23505', 'IntegrityError', "INSERT INTO people (id, name) VALUES (2, 'taken')", { constraint: 'people_name' }],
    ['23514', 'IntegrityError', 'INSERT INTO people (id, age) VALUES (2, 0)', { constraint: 'grown', table: 'people' }],
    [
      '23P01',
      'IntegrityError',
      "INSERT INTO stays VALUES ('[1,3)'), ('[2,4)')",
      { constraint: 'alone', table: 'stays' },
    ],
    ['25001', 'InternalError', 'BEGIN; SELECT 1; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'],
    ['25006', 'InternalError', 'BEGIN READ ONLY; INSERT INTO closed VALUES (1)'],
    ['25P01', 'InternalError', 'SAVEPOINT a'],
    ['26000', 'ProgrammingError', 'EXECUTE nothing'],
    ['2BP01', 'InternalError', 'DROP TABLE people'],
    ['34000', 'ProgrammingError', 'FETCH nothing'],
    ['3B001', 'OperationalError', 'BEGIN; ROLLBACK TO SAVEPOINT nothing'],
    ['3D000', 'ProgrammingError', 'DROP DATABASE nothing'],
    ['3F000', 'ProgrammingError', 'CREATE TABLE nothing.a (id int)'],
    ['42501', 'ProgrammingError', 'BEGIN; SET LOCAL ROLE nobody_much; SELECT * FROM closed'],
    ['42601', 'ProgrammingError', 'SELEKT 1'],
    [
      '42703',
      'ProgrammingError',
      'SELECT nam FROM people',
      { hint: 'Perhaps you meant to reference the column "people.name".' },
    ],
    ['42804', 'ProgrammingError', 'SELECT CASE WHEN 1 THEN 2 END'],
    ['42883', 'ProgrammingError', 'SELECT nothing(1)'],
    ['42P01', 'ProgrammingError', 'SELECT * FROM nothing'],
    ['42P07', 'ProgrammingError', 'CREATE TABLE people (id int)'],
    ['44000', 'ProgrammingError', 'INSERT INTO adults (id, age) VALUES (2, 3)'],
    ['54001', 'OperationalError', 'SELECT down()'],
    ['54011', 'OperationalError', `CREATE TABLE wide (${Array.from({ length: 1601 }, (_, n) => `c${n} int`).join()})`],
    ['55000', 'OperationalError', "CREATE SEQUENCE s; SELECT currval('s')"],
    ['57014', 'OperationalError', "SET LOCAL statement_timeout = 0; SET statement_timeout = '1ms'; SELECT pg_sleep(5)"],
    ['58P01', 'OperationalError', "COPY closed FROM '/nowhere/at/all'"],
    ['P0001', 'ProgrammingError', "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$"],
    ['P0002', 'ProgrammingError', 'DO $$ DECLARE a int; BEGIN SELECT 1 INTO STRICT a WHERE false; END $$'],
  ])('%s is a %s', async (sqlstate, name, sql, fields: object = {}) => {
    const error = await failure(() => db.query(sql));
    expect(error).toMatchObject({ name, sqlstate, code: 'REFUSED', ...fields });
    expect(error).toBeInstanceOf(PostgresError);
    expect(error.message).toBe((error.cause as Error).message);
  });

  test.each([[[]], [[1]], [[1, 2, 3]]])(
    'a wrong number of parameters is a ProgrammingError, as PEP 249 says: %j',
    async (params) => {
      const error = await failure(() => db.query('SELECT $1::int + $2::int', params));
      expect(error).toMatchObject({ name: 'ProgrammingError', code: 'REFUSED' });
    },
  );

  test('says what a role lacks that may make no tables', async () => {
    await connections.scope(async () => {
      await db.query('SET ROLE nobody_much');
      await expect(db.query('CREATE TABLE mine (n int)')).rejects.toThrow(
        /schema public; its owner has to GRANT USAGE/,
      );
    });
  });

  test('has the name of its query', async () => {
    const error = await failure(() => db.query('SELECT 1 / $1::int', [0], { name: 'by nothing' }));
    expect(error).toMatchObject({ queryName: 'by nothing', sqlstate: '22012' });
  });

  test('ends no connection where a function only raises what would', async () => {
    await connections.scope(async () => {
      const pid = async (): Promise<unknown> => (await db.query('SELECT pg_backend_pid() AS pid')).rows[0]?.['pid'];
      const before = await pid();
      for (const sqlstate of ['08006', '57P01']) {
        await expect(db.query('SELECT like_lost($1)', [sqlstate])).rejects.toMatchObject({ sqlstate, code: 'REFUSED' });
      }
      expect(await pid()).toBe(before);
    });
  });

  test('does so with FATAL: the connection is lost', async () => {
    const error = await failure(() => db.query("SET transaction_timeout = '5ms'; BEGIN; SELECT pg_sleep(5)"));
    expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECTION_LOST', sqlstate: '25P04' });
  });
});

describe('what was not sent', () => {
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['a parameter that is no JSON', () => db.query('SELECT $1', [circular]), /circular/],
    ['parameters that are no list', () => db.query('SELECT $1', 'abc' as never), /must be an array/],
    ['no text', () => db.query(undefined as never), /./],
  ])('%s is told, and the connection is used on', async (_, work, words) => {
    await connections.scope(async () => {
      const pid = async (): Promise<unknown> => (await db.query('SELECT pg_backend_pid() AS pid')).rows[0]?.['pid'];
      const before = await pid();
      await expect(work()).rejects.toThrow(words);
      expect(await pid()).toBe(before);
    });
  });

  test('a name that has another text already is a ProgrammingError', async () => {
    await connections.scope(async () => {
      await db.query('SELECT 1', [], { name: 'same' });
      await expect(db.query('SELECT 2', [], { name: 'same' })).rejects.toMatchObject({ name: 'ProgrammingError' });
      expect((await db.query('SELECT 1 AS one', [], { name: 'other' })).rows).toEqual([{ one: 1 }]);
    });
  });
});

describe('no log shows the value of a parameter', () => {
  const M = 'Marker-8fe2'; // with letters that a name would have in lower case
  const LONG = `${M}${'y'.repeat(100)}`;
  test.each<[string, () => Promise<unknown>]>([
    ['22P02', () => db.query('SELECT $1::int', [M])],
    ['22P02', () => db.query('SELECT * FROM people WHERE id = $1', [M])],
    ['22P02', () => db.query('SELECT $1::mood', [M])],
    ['22P02', () => db.query('SELECT $1::json', [M])],
    ['22P02', () => db.query('SELECT $1::uuid', [`${M}"${M}`])],
    ['22P02', () => db.query('SELECT $1::int', [`${M}\n"${M}`])],
    ['22P02', () => db.query('SELECT $1::int[]', [[M, `b${M}`]])],
    ['22007', () => db.query('SELECT $1::timestamptz', [M])],
    ['22023', () => db.query('SELECT now() AT TIME ZONE $1', [`${M}/x`])],
    ['22001', () => db.query('INSERT INTO people (id, name) VALUES (5, $1)', [LONG])],
    [
      '22P03',
      () =>
        db
          .query("SELECT convert_from($1, 'UTF8')", [Buffer.from([0xff, 0xfe])])
          .catch(() => db.query('SELECT $1::int4', [{ a: M }])),
    ],
    ['23505', () => twice(() => db.query('INSERT INTO people (id, name) VALUES ($1, $2)', [7, M]))],
    ['23514', () => db.query('INSERT INTO people (id, name, age) VALUES (8, $1, 0)', [M])],
    ['23502', () => db.query('INSERT INTO people (id, name, age) VALUES (8, $1, NULL)', [M])],
    ['44000', () => db.query('INSERT INTO adults (id, name, age) VALUES (8, $1, 2)', [M])],
    ['P0001', () => db.query('SELECT quote($1)', [M])],
    ['P0001', () => db.query('SELECT quote(upper($1))', [M])],
    ['P0001', () => db.query('SELECT quote(($1::text[])[1])', [[M]])],
    ['P0001', () => db.query("SELECT quote($1::jsonb ->> 'a')", [{ a: M }])],
    ['MY001', () => db.query('SELECT own($1)', [M])],
    ['22P02', () => db.query('SELECT inner_sql($1)', [M])],
    ['42P01', () => db.query('SELECT $1::regclass', [M])],
    ['42P01', () => db.query('SELECT $1::regclass', [LONG])],
    ['42704', () => db.query('SELECT $1::regtype', [M.replace('-', '_')])],
    ['42704', () => db.query('SELECT set_config($1, $1, true)', [M.replace('-', '_')])],
    [
      '0A000',
      () =>
        db
          .query('SELECT $1::regclass', [`a.b.${M}`])
          .catch(() => db.query('SELECT $1::regclass', ['nowhere.at.all.x'])),
    ],
    ['22P02', () => db.copyFrom('COPY people (id) FROM STDIN', [`${M}\n`])],
    ['22P04', () => db.copyFrom('COPY people (id, name) FROM STDIN', [`9\n${M}\n`])],
    ['22001', () => db.copyFrom('COPY people (id, name) FROM STDIN', [`9\t${LONG}\n`])],
    ['23514', () => db.copyFrom('COPY people (id, name, age) FROM STDIN', [`9\t${M}\t0\n`])],
    ['22P02', () => all(db.cursor('SELECT $1::int', [M]))],
    ['22P02', () => db.transaction(() => db.query('SELECT $1::int', [M]))],
  ])('%#: %s', async (_sqlstate, work) => {
    const error = await failure(work);
    expect(error.sqlstate).toBeDefined();
    for (const text of shownOf(error)) expect(text.toLowerCase()).not.toContain('arker');
  });

  test.each([
    ['P0001', 'SELECT quote($1)', '123', 'no ..., really'],
    ['P0001', 'SELECT quote($1)', 'id', 'no ..., really'],
    ['MY001', 'SELECT own($1)', 7, 'no ...'],
    ['42P01', 'SELECT $1::regclass', 'abc', 'relation "..." does not exist'],
  ])('a short one neither: %s', async (sqlstate, sql, value, message) => {
    expect(await failure(() => db.query(sql, [value]))).toMatchObject({ sqlstate, message });
  });

  test('what is no value stays, though a parameter is like a part of it', async () => {
    const error = await failure(() => db.query('INSERT INTO people (id, name) VALUES ($1, $2)', [1, 'e']));
    expect(error.message).toBe('duplicate key value violates unique constraint "people_pkey"');
  });

  test('the code finds the words of the server in `detail`', async () => {
    const taken = await failure(() => db.query('INSERT INTO people (id, name) VALUES (9, $1)', ['taken']));
    expect(taken.detail).toBe(
      'duplicate key value violates unique constraint "people_name"\nKey (name)=(taken) already exists.',
    );
    expect((await failure(() => db.query('SELECT $1::int', [M]))).detail).toBe(
      `invalid input syntax for type integer: "${M}"`,
    );
  });
});

describe('the stack of an error names the line that has asked', () => {
  async function theCaller(work: () => Promise<unknown>): Promise<void> {
    await work();
  }
  test.each<[string, () => Promise<unknown>]>([
    ['query', () => theCaller(async () => await db.query('SELEKT'))],
    ['a second query, that has waited', () => theCaller(() => Promise.all([db.query('SELECT 1'), db.query('SELEKT')]))],
    ['query in transactions', () => db.transaction(() => db.transaction(() => theCaller(() => db.query('SELEKT'))))],
    [
      'query in a transaction that waits',
      () => db.transaction(() => theCaller(() => Promise.all([db.query('SELECT 1'), db.query('SELEKT')]))),
    ],
    [
      'query in a transaction, none of whose functions is async',
      () => theCaller(() => db.transaction(() => db.query('SELEKT'))),
    ],
    ['transaction', () => theCaller(() => db.transaction(() => db.query('SELEKT').catch(() => {})))],
    [
      'cursor',
      () =>
        theCaller(async () => {
          for await (const _ of db.cursor('SELEKT'));
        }),
    ],
    [
      'a cursor on its way, in a transaction',
      () =>
        db.transaction(() =>
          theCaller(() => all(db.cursor('SELECT 1 / (2 - n) FROM generate_series(1, 2) n', [], { batch: 1 }))),
        ),
    ],
    ['copyFrom', () => theCaller(() => db.copyFrom('COPY nothing FROM STDIN', []))],
    [
      'copyTo',
      () =>
        theCaller(async () => {
          for await (const _ of db.copyTo('COPY nothing TO STDOUT'));
        }),
    ],
    ['another database', () => theCaller(() => connections.get('refused').query('SELECT 1'))],
  ])('%s', async (_, work) => {
    const error = await failure(work);
    expect(error.stack).toContain('theCaller');
    expect(error.stack).toContain('errors.spec.ts');
    expect(error.stack).toMatch(new RegExp(`^${error.name}: `));
  });

  test('behind the end of its scope, from a timer', async () => {
    const late = await connections.scope(() => ({
      failed: new Promise<Error>((resolve) => {
        setTimeout(() => void db.query('SELECT 1').catch(resolve), 1);
      }),
    }));
    expect(await late.failed).toMatchObject({
      code: 'SCOPE_ENDED',
      stack: expect.stringContaining('errors.spec.ts') as string,
    });
  });

  test('outside of every scope', async () => {
    const error = await theCaller(() => db.query('SELECT 1')).catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: 'NO_SCOPE', stack: expect.stringContaining('theCaller') as string });
  });
});

test.each<[string, string, number | undefined]>([
  ['of a statement of several lines', "SELECT id, '😀',\n  name\nFRO people", 3],
  ['of a name that is none', 'SELECT id,\n  nam\nFROM people', 2],
  ['not of a single line', 'SELEKT', undefined],
])('the line of an error: %s', async (_, text, line) => {
  expect(((await failure(() => db.query(text))) as { line?: number }).line).toBe(line);
});

describe('what a call cannot be made of is refused where it is made', () => {
  const untyped = db as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
  test.each<[string, string, unknown[], string]>([
    [
      "pg's object",
      'query',
      [{ text: 'SELECT 1', values: [] }],
      'query takes the text of a statement and its parameters',
    ],
    ['a template', 'query', [['SELECT ', ''], 1], 'this is a template'],
    ['nothing', 'query', [], 'of type undefined'],
    ['a transaction of nothing', 'transaction', [], 'transaction takes a function'],
    [
      'an option that is none',
      'transaction',
      [() => {}, { readonly: true }],
      'there is no option readonly of a transaction',
    ],
    ['rows as arrays', 'copyFrom', ['COPY people FROM STDIN', [[1, 'ann']]], "text or bytes in COPY's format"],
    ['no rows', 'copyFrom', ['COPY people FROM STDIN', 5], "text or bytes in COPY's format"],
  ])('%s', async (_, method, given, words) => {
    await expect(connections.scope(() => untyped[method]?.call(db, ...given))).rejects.toThrow(words);
  });

  test('a hook that is no function, before the commit', async () => {
    const work = (): Promise<unknown> => db.transaction(() => db.onCommit('later' as never));
    await expect(connections.scope(work)).rejects.toThrow('onCommit takes a function');
  });
});

describe('a connection that cannot be made says where to, why, and what to do', () => {
  test.each<[string, RegExp, string?]>([
    ['refused', /^no connection to 127\.0\.0\.1:\d+: connect ECONNREFUSED .*is the server started/],
    ['both', /^no connection to localhost:\d+: connect ECONNREFUSED .*is the server started/],
    ['socket', /^no connection to \/.*\/\.s\.PGSQL\.5432: connect ENOENT .*unix_socket_directories/],
    ['database', /^no connection to 127.*: database "nowhere" does not exist; create it with createdb/, '3D000'],
    ['password', /^no connection to .*: password authentication failed for user "postgres"; check user/, '28P01'],
    ['none', /^no connection to .*; the server asks for a password, and none is given$/],
    ['silent', /^no connection to 127\.0\.0\.1:\d+ in time \(connectTimeout\)$/],
    ['starting', /^no connection to 127.*: the database system is starting up; try again when it is ready$/, '57P03'],
    ['closing', /^no connection to 127.*: the server has closed it$/],
    ['setting', /invalid value for parameter "work_mem": "much"; check sessionSettings/, '22023'],
    ['authority', /^no connection to .*ENOENT.*none\.pem/],
    ['host', /^no connection to nowhere\.invalid:5432: getaddrinfo .*; the name of the host has no address$/],
  ])('%s', async (alias, message, ...[sqlstate]) => {
    const error = await failure(() => connections.get(alias).query('SELECT 1'));
    expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED' });
    expect(error.message).toMatch(message);
    expect(error.sqlstate).toBe(sqlstate);
    const password = postgres.server.password as string;
    for (const text of shownOf(error)) {
      expect(text).not.toContain(SECRET);
      expect(text).not.toContain(password);
      expect(text).not.toContain('postgres://');
    }
  });
});

/** With everything that happens in a scope of its own, rolled back. */
async function failure(work: () => Promise<unknown>): Promise<PostgresError> {
  const error = await connections.scope(work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(PostgresError);
  return error as PostgresError;
}

/** What logs make of it. */
function shownOf(error: Error): string[] {
  let logged = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      logged += String(chunk);
      done();
    },
  });
  pino(stream).error({ err: error }, 'failed');
  pino(stream).error(error);
  expect(logged).toContain('"stack"');
  const shown = [
    inspect(error),
    inspect(error, { depth: 9, compact: false }),
    logged,
    String(error),
    JSON.stringify(error),
  ];
  for (let next: unknown = error; next instanceof Error; next = next.cause) {
    shown.push(next.message, next.stack ?? '', JSON.stringify(Object.entries(next)));
  }
  return shown;
}

async function all(rows: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const row of rows) found.push(row);
  return found;
}

const twice = async (work: () => Promise<unknown>): Promise<unknown> => {
  await work();
  return work();
};

function serve(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => onConnection(socket));
  });
  server.unref();
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

/** ErrorResponse (protocol manual, "Message Formats"). */
function fatal(sqlstate: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlstate}\0M${message}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}
