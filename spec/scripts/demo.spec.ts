// scripts/demo, as the README tells to run it.

import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { send } from '../support/http.ts';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/demo', import.meta.url));
const folder = temporaryFolder();
const demo = (...args: string[]): SpecProcess =>
  new SpecProcess(SCRIPT, ['--no-setup', ...args], { environ: { TMPDIR: folder.path }, cwd: folder.path });

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
])('%j is refused', async (args, message) => {
  const run = demo(...args);
  expect(await run.finished).toEqual({ code: 1, signal: null });
  expect(run.stderr).toContain(message);
});
