// scripts/demo, as the README tells to run it.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { send } from '../support/http.ts';
import { processGroup } from '../support/processes.ts';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/demo', import.meta.url));
const folder = temporaryFolder();
const script = (args: readonly string[], environ: Readonly<Record<string, string>> = {}): SpecProcess =>
  new SpecProcess(SCRIPT, args, { environ: { TMPDIR: folder.path, DATABASE_URL: '', ...environ }, cwd: folder.path });
const demo = (...args: string[]): SpecProcess => script(['--no-setup', ...args]);
const admin = (...args: string[]): SpecProcess => script(['admin', '--no-setup', ...args]);

const leftOver = (): string[] => readdirSync(folder.path).filter((name) => name.startsWith('postfork'));

test.each(['lighttpd', 'nginx'])('--once behind %s shows requests and ends', async (webServer) => {
  const run = demo('--once', '--web-server', webServer);
  expect(await run.finished).toEqual({ code: 0, signal: null });
  expect(run.stdout).toContain(`${webServer} -> unix:`);
  expect(run.stdout).toContain('GET /facts  (the signals: 8 started)\n    200 application/json');
  expect(run.stdout).toContain('fails on purpose');
  expect(leftOver()).toEqual([]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('it serves until %s, and leaves nothing', async (signal) => {
  const run = demo();
  const [, port] = await run.says(/Open http:\/\/127\.0\.0\.1:(\d+)\/ in a browser[^]*Ctrl-C ends it/, 'stdout');
  expect((await send(Number(port), '/')).status).toBe(200);
  run.signal(signal);
  expect(await run.finished).toEqual({ code: signal === 'SIGINT' ? 130 : 143, signal: null });
  await expect(send(Number(port), '/')).rejects.toThrow('ECONNREFUSED');
  expect(leftOver()).toEqual([]);
});

describe('admin, on a PostgreSQL of its own', () => {
  test.each(['lighttpd', 'nginx'])(
    '--once behind %s shows requests and the logins, and ends',
    async (webServer) => {
      const run = admin('--once', '--web-server', webServer);
      expect([await run.finished, run.stderr]).toEqual([{ code: 0, signal: null }, '']);
      expect(run.stdout).toContain(`${webServer} -> unix:`);
      expect(run.stdout).toContain('GET /admin  (and is not staff)\n    403 ');
      expect(run.stdout).toMatch(/^Log in as admin, password \S{12}, who is staff$/m);
      expect(leftOver()).toEqual([]);
    },
    60_000,
  );

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'it serves until %s, and leaves nothing',
    async (signal) => {
      const run = admin();
      const [, port] = await run.says(/Open http:\/\/127\.0\.0\.1:(\d+)\/admin in a browser/, 'stdout');
      const [, postgres] = await run.says(/The database: \S+:(\d+)\/postgres\n[^]*Ctrl-C ends it/, 'stdout');
      expect((await send(Number(port), '/admin')).status).toBe(302);
      run.signal(signal);
      expect(await run.finished).toEqual({ code: signal === 'SIGINT' ? 130 : 143, signal: null });
      await expect(send(Number(port), '/')).rejects.toThrow('ECONNREFUSED');
      await expect(send(Number(postgres), '/')).rejects.toThrow('ECONNREFUSED');
      expect(processGroup(run.pid)).toEqual([]);
      expect(leftOver()).toEqual([]);
    },
    60_000,
  );

  test('a database that is not there is said', async () => {
    const run = script(['admin', '--once', '--no-setup'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' });
    expect(await run.finished).toEqual({ code: 1, signal: null });
    expect(run.stderr).toContain('127.0.0.1:1');
    expect(run.stderr).toContain('demo: examples/admin/setup has failed');
    expect(leftOver()).toEqual([]);
  });
});

test('--help', async () => {
  const run = demo('--help');
  expect(await run.finished).toEqual({ code: 0, signal: null });
  expect(run.stdout).toContain('--web-server lighttpd|nginx');
});

test.each([
  [['--web-server', 'iis'], '--web-server is lighttpd or nginx, not iis'],
  [['--web-server'], '--web-server needs a value'],
  [['--port', 'x'], '--port is a number, not x'],
  [['--twice'], '--twice is not an option'],
  [['admin', '--method', 'threads'], '--method is spawn or fork, not threads'],
  [['--once', 'admin'], 'admin is not an example, or not the first word'],
])('%j is refused', async (args, message) => {
  const run = script(args);
  expect(await run.finished).toEqual({ code: 1, signal: null });
  expect(run.stderr).toContain(message);
});
