// migrate(): each file once, in order, a set as a whole, whoever else is at it.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { authMigrations } from '../../lib/auth/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { migrate, MigrationError, migrationStatus } from '../../lib/db/migrations/index.ts';
import { pgbouncerServer, postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

const postgres = postgresServer();
const pgbouncer = pgbouncerServer(postgres, { poolMode: 'transaction' });
const temporary = temporaryFolder();

beforeAll(() => {
  configureDatabases({
    default: { url: postgres.url(), connMaxAge: 60 },
    pool: { url: postgres.url(), pool: true },
    bounded: { url: postgres.url(), queryTimeout: 100 },
    bouncer: { url: pgbouncer.url(), pooler: 'transaction' },
  });
});
afterAll(() => connections.closeAll());
beforeEach(() => postgres.admin('DROP SCHEMA public CASCADE; CREATE SCHEMA public'));

let folders = 0;

/** A folder with these files. */
function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = temporary.join(`set${++folders}`);
  mkdirSync(folder);
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql);
  return folder;
}

const apply = async (...sets: Parameters<typeof migrate>[0]['folders']): Promise<string[]> =>
  (await migrate({ folders: sets })).map(({ set, name }) => `${set}/${name}`);

const tables = async (): Promise<string[]> =>
  (
    await postgres.admin<{ name: string }>(
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
  ).map(({ name }) => name);

const FILES = {
  '0001_one.sql': 'CREATE TABLE one (id int);\nINSERT INTO one VALUES (1), (2);\n',
  '0002_two.sql': '-- a comment\nALTER TABLE one ADD name text; CREATE TABLE two (id int);',
  'README.md': 'is no migration',
};

describe('files', () => {
  test('are applied in their order, once, and remembered by set', async () => {
    const folder = folderOf(FILES);
    const seen: string[] = [];
    const applied = await migrate({ folders: [{ set: 'app', folder }], onApply: ({ name }) => seen.push(name) });
    expect(applied.map(({ name }) => name)).toEqual(['0001_one.sql', '0002_two.sql']);
    expect(seen).toEqual(['0001_one.sql', '0002_two.sql']);
    expect(
      await postgres.admin('SELECT set, name, length(checksum) AS bytes FROM postfork_migrations ORDER BY name'),
    ).toEqual([
      { set: 'app', name: '0001_one.sql', bytes: 64 },
      { set: 'app', name: '0002_two.sql', bytes: 64 },
    ]);
    expect(await apply({ set: 'app', folder })).toEqual([]);
    expect(await postgres.admin('SELECT FROM one')).toHaveLength(2);
    writeFileSync(join(folder, '0003_three.sql'), 'DROP TABLE two');
    expect(await apply({ set: 'app', folder })).toEqual(['app/0003_three.sql']);
    expect(await tables()).toEqual(['one', 'postfork_migrations']);
  });

  test('of two sets do not mix; a set without a name has its folder’s', async () => {
    const [one, other] = [folderOf({ '0001_a.sql': 'CREATE TABLE a ()' }), folderOf({ '0001_a.sql': 'DROP TABLE a' })];
    expect(await apply(one, { set: 'x', folder: other })).toEqual([`set${folders - 1}/0001_a.sql`, 'x/0001_a.sql']);
    await expect(migrate({ folders: [one, one] })).rejects.toThrow(`two folders are the set "set${folders - 1}"`);
  });

  test('are the same whatever their lines end with', async () => {
    const folder = folderOf(FILES);
    await apply(folder);
    writeFileSync(join(folder, '0001_one.sql'), `\uFEFF${FILES['0001_one.sql'].replaceAll('\n', '\r\n')}`);
    expect(await apply(folder)).toEqual([]);
  });

  test('may empty the search path, as those of pg_dump do', async () => {
    const folder = folderOf({
      '0001_dump.sql': "SELECT pg_catalog.set_config('search_path', '', false); CREATE TABLE public.dumped ();",
      '0002_next.sql': 'CREATE TABLE next ()',
    });
    const other = folderOf({ '0001_other.sql': 'CREATE TABLE other ()' });
    await apply(folder);
    await apply(other);
    expect(await tables()).toEqual(['dumped', 'next', 'other', 'postfork_migrations']);
  });

  test('of sessions and users make tables that hold what they say', async () => {
    expect(await apply(authMigrations)).toEqual(['postfork/0001_users.sql', 'postfork/0002_sessions.sql']);
    expect(await apply(authMigrations)).toEqual([]);
    await expect(
      postgres.admin("INSERT INTO postfork_sessions (key, expires_at) VALUES ('short', now())"),
    ).rejects.toThrow('check');
  });
});

describe('errors', () => {
  /** What is said where the set in this folder is refused: its code and its words. */
  const refusal = async (folder: string): Promise<string> => {
    const error: unknown = await migrate({ folders: [{ set: 'app', folder }] }).then(() => 'applied', (thrown: unknown) => thrown); // prettier-ignore
    return error instanceof MigrationError ? `${error.code} ${error.message}` : `not refused: ${String(error)}`;
  };

  test('a file that was changed after it was applied', async () => {
    const folder = folderOf(FILES);
    await apply({ set: 'app', folder });
    writeFileSync(join(folder, '0001_one.sql'), 'CREATE TABLE another ()');
    writeFileSync(join(folder, '0003_three.sql'), 'CREATE TABLE three ()');
    expect(await refusal(folder)).toMatch(/^CHANGED .*0001_one\.sql was changed after it was applied/);
    await expect(migrationStatus({ folders: [{ set: 'app', folder }] })).rejects.toMatchObject({ code: 'CHANGED' });
    expect(await tables()).not.toContain('three');
  });

  test('a file that was applied and is missing', async () => {
    const folder = folderOf(FILES);
    await apply({ set: 'app', folder });
    rmSync(join(folder, '0001_one.sql'));
    expect(await refusal(folder)).toBe('MISSING 0001_one.sql of app was applied, and there is no such file any more');
  });

  test('a file that comes before what was applied', async () => {
    const folder = folderOf({ '0001_a.sql': 'SELECT 1', '0003_c.sql': 'SELECT 1' });
    await apply({ set: 'app', folder });
    writeFileSync(join(folder, '0002_b.sql'), 'SELECT 1');
    expect(await refusal(folder)).toMatch(
      /^OUT_OF_ORDER .*0002_b\.sql comes before 0003_c\.sql, .*give it a higher number/,
    );
  });

  test.each<[what: string, files: Record<string, string>, message: string]>([
    ['two files with one number', { '0001_a.sql': '', '0001_b.sql': '' }, '0001_a.sql and 0001_b.sql have one number'],
    ['a file with another name', { '0001_a.sql': '', '2.sql': '' }, '2.sql: name it like 0001_name.sql'],
    ['a folder without migrations', { README: '' }, 'there is no file such as 0001_name.sql in it'],
  ])('%s', async (_what, files, message) => {
    const said = await refusal(folderOf(files));
    expect(said).toContain(message);
    expect(said).toMatch(/^BAD_FOLDER /);
    expect(await tables()).toEqual([]);
  });

  test('SQL that the server refuses: with file and line, and nothing of the set is applied', async () => {
    const folder = folderOf({
      '0001_good.sql': 'CREATE TABLE good ()',
      '0002_bad.sql': `-- größer\nCREATE TABLE bad (name text DEFAULT '${'ü😀'.repeat(20)}');\n\nSELECT *\n  FROM nowhere;\n`,
    });
    expect(await refusal(folder)).toMatch(
      /^FAILED .*0002_bad\.sql:5: relation "nowhere" does not exist \(nothing of the set app was applied\)/,
    );
    expect(await tables()).toEqual([]);
    writeFileSync(join(folder, '0002_bad.sql'), 'SELECT 1;\nSELEC 2;');
    expect(await refusal(folder)).toContain('0002_bad.sql:2: syntax error');
    writeFileSync(join(folder, '0002_bad.sql'), 'SELECT 1;\nSELECT 1/0;');
    expect(await refusal(folder)).toContain('0002_bad.sql: division by zero');
    expect(await tables()).toEqual([]);
  });

  test('a file that ends the transaction', async () => {
    for (const sql of ['SELECT 1; COMMIT', 'ROLLBACK', 'COMMIT; BEGIN; SELECT 1']) {
      expect(await refusal(folderOf({ '0001_a.sql': sql }))).toMatch(/^FAILED .*it ended the transaction/);
    }
    expect(await postgres.backends({ applicationName: 'postfork' })).not.toContainEqual(
      expect.objectContaining({ state: 'idle in transaction' }),
    );
  });
});

test('a folder that is not there', async () => {
  await expect(migrate({ folders: ['/nowhere'] })).rejects.toMatchObject({ code: 'BAD_FOLDER' });
});

describe('status and dry run', () => {
  test('tell what is applied and what would be, and change nothing', async () => {
    const folder = folderOf(FILES);
    const names = async (): Promise<string[]> =>
      (await migrate({ folders: [folder], dryRun: true })).map(({ name }) => name);
    expect(await names()).toEqual(['0001_one.sql', '0002_two.sql']);
    expect(await tables()).toEqual([]);
    await apply(folder);
    writeFileSync(join(folder, '0003_three.sql'), 'CREATE TABLE three ()');
    expect(await names()).toEqual(['0003_three.sql']);
    const states = await migrationStatus({ folders: [folder] });
    expect(states.map(({ migration, appliedAt }) => [migration.name, appliedAt])).toEqual([
      ['0001_one.sql', expect.any(Date)],
      ['0002_two.sql', expect.any(Date)],
      ['0003_three.sql', undefined],
    ]);
    expect(await tables()).not.toContain('three');
  });
});

describe('several at once', () => {
  test('one applies, the others wait and find nothing to do', async () => {
    const folder = folderOf({
      '0001_slow.sql': 'CREATE TABLE slow (); SELECT pg_sleep(0.1)',
      '0002_b.sql': '-- nothing yet',
    });
    const all = await Promise.all(Array.from({ length: 8 }, () => apply(folder)));
    expect(all.filter(({ length }) => length > 0)).toEqual([[expect.any(String), expect.any(String)]]);
  });

  test.each(['pool', 'bouncer'])('so it is where transactions share sessions: %s', async (database) => {
    const folder = folderOf({
      '0001_slow.sql': 'CREATE TABLE slow (); SELECT pg_sleep(0.1)',
      '0002_b.sql': 'SELECT 1',
    });
    const migrating = Array.from({ length: 8 }, () => migrate({ folders: [authMigrations, folder], database }));
    expect((await Promise.all(migrating)).flat()).toHaveLength(4);
  });

  test('those that wait too long say so', async () => {
    const folder = folderOf(FILES);
    await apply(folder);
    await connections.scope(() =>
      db.transaction(async () => {
        await db.query('SELECT pg_advisory_xact_lock(8102095716024369)');
        await expect(migrate({ folders: [folder], lockTimeout: 50 })).rejects.toMatchObject({ code: 'LOCKED' });
      }),
    );
    await expect(migrate({ folders: [folder], lockTimeout: 0 })).rejects.toThrow(RangeError);
  });

  test('a queryTimeout, which is for requests, bounds neither the files nor the wait for others', async () => {
    const folder = folderOf({ '0001_slow.sql': 'CREATE TABLE slow (); SELECT pg_sleep(0.3)' });
    const all = await Promise.all([1, 2].map(() => migrate({ folders: [folder], database: 'bounded' })));
    expect(all.flat()).toHaveLength(1);
  });

  test('a repeatable read as the default of the database does no harm', async () => {
    const folder = folderOf({ '0001_slow.sql': 'CREATE TABLE slow (); SELECT pg_sleep(0.1)' });
    await apply(folderOf({ '0001_first.sql': 'SELECT 1' })); // the table is there
    await postgres.admin("ALTER DATABASE postgres SET default_transaction_isolation TO 'repeatable read'");
    try {
      await connections.closeAll();
      const all = await Promise.all(Array.from({ length: 4 }, () => apply(folder)));
      expect(all.flat()).toHaveLength(1);
    } finally {
      await postgres.admin('ALTER DATABASE postgres RESET default_transaction_isolation');
      await connections.closeAll();
    }
  });
});
