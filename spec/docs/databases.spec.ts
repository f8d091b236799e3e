// The examples in docs/databases.md and docs/auth.md run as they stand there, on a real PostgreSQL.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { postgresServer } from '../support/postgres.ts';

const root = join(__dirname, '../..');
const postgres = postgresServer();

const blocks = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => code as string);

/** Run a module that has this code in it, beside an app.mjs; what it prints. Within the repository, so that `postfork` is this package. */
async function run(code: string, app = ''): Promise<string> {
  const folder = mkdtempSync(join(root, '.example-'));
  try {
    const path = join(folder, 'example.mjs');
    writeFileSync(path, code);
    writeFileSync(join(folder, 'app.mjs'), app);
    const child = spawn(process.execPath, [path], {
      cwd: root,
      timeout: 15_000,
      env: { ...process.env, DATABASE_URL: postgres.url() },
    });
    const exited = new Promise((resolve) => child.once('close', resolve));
    const [stdout, stderr] = await Promise.all([buffer(child.stdout), buffer(child.stderr)]);
    if ((await exited) !== 0) throw new Error(String(stderr));
    return String(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An application asked for some things: what it said, one answer after the other. */
async function ask(code: string, requests: readonly unknown[]): Promise<string[]> {
  const asking = `
    import { connections as all } from 'postfork/db';
    for (const request of ${JSON.stringify(requests)}) console.log('answer', JSON.stringify((await app.inject(request)).text()));
    await all.closeAll();`;
  const lines = (await run(code + asking)).split('\n').filter((line) => line.startsWith('answer '));
  return lines.map((line) => JSON.parse(line.slice('answer '.length)) as string);
}

beforeAll(async () => {
  const [, sql = ''] = /^```sql\n([^]*?)^```$/m.exec(readFileSync(join(root, 'docs/databases.md'), 'utf8')) ?? [];
  await postgres.admin(sql);
});

test('docs/databases.md: an application', async () => {
  const [code = ''] = blocks('docs/databases.md');
  const post = {
    method: 'POST',
    target: '/notes',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'title=a,b',
  };
  expect(await ask(code, [post, '/notes/1', '/notes/2', '/notes.csv'])).toEqual([
    '{"id":1}',
    '{"id":1,"title":"a,b"}',
    '404 Not Found\n',
    '1,"a,b"\r\n',
  ]);
  expect(await postgres.admin('SELECT notes FROM counts')).toEqual([{ notes: 1 }]);
});

test('docs/databases.md: a scope', async () => {
  await postgres.admin('TRUNCATE notes');
  const [, code = ''] = blocks('docs/databases.md');
  expect(await run(code)).toBe('0 notes\n');
});

test('docs/databases.md: slow statements', async () => {
  const [, , code = ''] = blocks('docs/databases.md');
  const asking = `
    import { connections, db } from 'postfork/db';
    console.warn = console.log;
    await connections.scope(async () => {
      await db.query('SELECT pg_sleep($1::float8)', [0.21]);
      await db.query('SELECT 1');
      await db.query('SELECT pg_sleep(0.21), $1::text', ['4711'], { name: 'named' });
    });`;
  expect(await run(code + asking)).toMatch(
    /^2\d\d ms: SELECT pg_sleep\(\$1::float8\) undefined undefined\n\d+ ms: named undefined undefined\n$/,
  );
});

test('docs/databases.md: parsers of values', async () => {
  const [, , , code = ''] = blocks('docs/databases.md');
  const asking = `
    import { connections, db } from 'postfork/db';
    console.log((await connections.scope(() => db.query("SELECT 7::int8 AS n, '2026-11-23'::date AS d"))).rows[0]);`;
  expect(await run(code + asking)).toBe("{ n: 7, d: '2026-11-23' }\n");
});

test('docs/databases.md: a test of an application', async () => {
  const [app = '', , , , code = ''] = blocks('docs/databases.md');
  expect(await run(code, app)).toMatch(/^ok 1 - a note is made$|✔ a note is made/m);
});

test('docs/auth.md: users, login, the admin page, logout', async () => {
  const [code = '', users = ''] = blocks('docs/auth.md');
  await promisify(execFile)(process.execPath, [join(root, 'dist/cli.js'), 'migrate'], {
    env: { ...process.env, DATABASE_URL: postgres.url() },
  });
  const [name = '', password = ''] = (await run(users)).trim().split(' ');
  const asking = `
    import { connections as all } from 'postfork/db';
    let cookie = '';
    const ask = async (method, target, body) => {
      const type = body && { 'Content-Type': 'application/x-www-form-urlencoded' };
      const answer = await app.inject({ method, target, body, headers: { ...type, ...(cookie && { Cookie: cookie }) } });
      const headers = new Headers(answer.headers);
      cookie = headers.get('Set-Cookie')?.split(';')[0] ?? cookie;
      console.log(answer.status, headers.get('Location') ?? answer.text());
    };
    await ask('GET', '/');
    await ask('GET', '/admin/');
    await ask('POST', '/login', 'username=${name}&password=wrong');
    await ask('POST', '/login?next=/admin/', 'username=${name.toUpperCase()}&password=${password}');
    await ask('GET', '/admin/');
    await ask('GET', '/');
    await ask('POST', '/logout');
    await ask('GET', '/');
    await all.closeAll();`;
  expect((await run(code + asking)).trim().split(/\n+/)).toEqual([
    '200 nobody, visit 1',
    '302 /login?next=%2Fadmin%2F',
    '401 401 wrong name or password',
    '302 /admin/',
    '200 {"users":1}',
    '200 admin, visit 2',
    '302 /',
    '200 nobody, visit 1',
  ]);
});
