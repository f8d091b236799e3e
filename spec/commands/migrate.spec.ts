// `postfork migrate` as a process: what it does, what it says, and what it leaves alone.

import { mkdirSync, writeFileSync } from 'node:fs';
import { postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { postforkWith } from './programs.ts';

const postgres = postgresServer();
const folder = temporaryFolder();

beforeEach(() => postgres.admin('DROP SCHEMA public CASCADE; CREATE SCHEMA public'));

beforeAll(() => {
  mkdirSync(folder.join('shop'));
  writeFileSync(folder.join('shop', '0001_goods.sql'), 'CREATE TABLE goods (id int); SELECT pg_sleep(0.1)');
  mkdirSync(folder.join('broken'));
  writeFileSync(folder.join('broken', '0001_broken.sql'), 'CREATE TABLE fine ();\nCREATE TABEL wrong ();');
});

interface Outcome {
  code: number | null;
  lines: string[];
  stderr: string;
}

async function run(
  args: string[],
  environ: Record<string, string> = { DATABASE_URL: postgres.url() },
): Promise<Outcome> {
  const command = postforkWith({ environ, cwd: folder.path }, 'migrate', ...args);
  const { code } = await command.finished;
  return { code, lines: command.stdout.split('\n').slice(0, -1), stderr: command.stderr };
}

const BUILTIN = ['postfork/0001_users.sql', 'postfork/0002_sessions.sql'];

test('makes the tables of users and sessions, once', async () => {
  const applied = [...BUILTIN.map((name) => `applying ${name}`), 'applied 2'];
  expect(await run([])).toEqual({ code: 0, lines: applied, stderr: '' });
  expect(await run([])).toEqual({ code: 0, lines: ['nothing to do'], stderr: '' });
  await postgres.admin('SELECT FROM postfork_users, postfork_sessions');
  expect(await postgres.backends({ applicationName: 'postfork migrate' })).toEqual([]);
});

test('applies the folders named too, under their own names or those given', async () => {
  const elsewhere = ['--database', postgres.url()];
  expect((await run(['shop', '--no-builtin', ...elsewhere], {})).lines).toEqual([
    'applying shop/0001_goods.sql',
    'applied 1',
  ]);
  await postgres.admin('DROP TABLE goods');
  const { lines } = await run(['market=shop']);
  expect(lines).toEqual([...BUILTIN, 'market/0001_goods.sql'].map((name) => `applying ${name}`).concat('applied 3'));
});

test('--status and --dry-run show, and change nothing', async () => {
  const would = [...BUILTIN, 'shop/0001_goods.sql'];
  expect((await run(['shop', '--dry-run'])).lines).toEqual(would.map((name) => `would apply ${name}`));
  expect((await run(['shop', '--status'])).lines).toEqual(would.map((name) => `${name}  not applied`));
  expect(await postgres.admin("SELECT FROM pg_tables WHERE schemaname = 'public'")).toEqual([]);
  await run([]);
  const at = expect.stringMatching(/ {2}applied \d{4}-\d\d-\d\dT[\d:.]+Z$/) as string;
  expect((await run(['shop', '--status'])).lines).toEqual([at, at, 'shop/0001_goods.sql  not applied']);
  expect((await run(['--dry-run'])).lines).toEqual(['nothing to do']);
});

test('8 at once: one applies, the others find nothing to do', async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => run(['shop'])));
  expect(all.map(({ code, stderr }) => [code, stderr])).toEqual(all.map(() => [0, '']));
  const applied = all.flatMap(({ lines }) => lines.filter((line) => line.startsWith('applying ')));
  expect(applied.toSorted()).toEqual([...BUILTIN, 'shop/0001_goods.sql'].map((name) => `applying ${name}`));
}, 60_000);

test.each<[what: string, args: string[], environ: Record<string, string> | undefined, message: RegExp]>([
  ['without a database', [], { DATABASE_URL: '' }, /^postfork: which database\? Set DATABASE_URL, or give --database/],
  ['with a URL that is none', ['-d', 'mysql://secret'], undefined, /url is like postgres:/],
  ['where nobody answers', ['-d', 'postgres://u:secret@127.0.0.1:1/x'], undefined, /no connection to 127\.0\.0\.1:1/],
  ['without a folder', ['nowhere'], undefined, /^postfork: nowhere: ENOENT/],
  ['with nothing to apply', ['--no-builtin'], undefined, /nothing to apply/],
  [
    'with SQL that is wrong',
    ['broken'],
    undefined,
    /^postfork: broken\/0001_broken\.sql:2: syntax error at or near "TABEL" \(nothing of/,
  ],
])('%s it fails with exit code 1 and says what is wrong', async (_what, args, environ, message) => {
  const { code, stderr } = await run(args, environ);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('secret');
  expect(code).toBe(1);
  expect(await postgres.admin("SELECT FROM pg_tables WHERE tablename = 'fine'")).toEqual([]);
});
