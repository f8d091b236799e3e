// The end of `postfork lab`, however it comes: no process, socket or folder is left. And a cell that is kept until then.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { siteRequest } from '../../lib/lab/index.ts';
import type { LabResult } from '../../lib/lab/result.ts';
import { send } from '../support/http.ts';
import type { SpecProcess } from '../support/process.ts';
import { commandLine, isRunning, until } from '../support/processes.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { ask } from './owner.ts';
import { descendants, labCommand } from './lab-command.ts';

const WITHIN = 60_000; // ms, of a slow machine too
const lab = labCommand();
const temporary = temporaryFolder();

/** A run in the middle of its requests, and all processes of it. */
async function middle(...args: string[]): Promise<{ command: SpecProcess; pids: number[] }> {
  const command = lab.start(['--requests', '1000000', '--timeout', '60000', ...args]);
  await lab.fileSays(command, 'journal', /"event":"end"/);
  const pids = descendants(command.pid);
  // lighttpd, PostgreSQL, an arbiter, a zygote, 4 workers, and who sees to their end.
  expect(pids.length).toBeGreaterThanOrEqual(10);
  return { command, pids };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s in the middle of a run ends it with %d',
  async (signal, code) => {
    const { command, pids } = await middle('--only', 'fork/none/w4/m5');
    process.kill(-command.pid, signal); // as a terminal does: to the whole group
    expect(await command.finished).toEqual({ code, signal: null });
    expect(command.stderr).toContain(`lab: ${signal}: ending, a moment please\n`);
    expect(command.stderr).toMatch(new RegExp(`^postfork: ended by ${signal}$`, 'm'));
    expect(command.stdout).toBe('');
    expect(lab.leftOver()).toEqual([]);
    expect(pids.filter(isRunning)).toEqual([]);
  },
  WITHIN,
);

test(
  'SIGINT leaves a report of the cells that are done',
  async () => {
    const out = temporary.join('report');
    const command = lab.start(['--only', 'single', '--requests', '100', '--concurrency', '1', '--out', out]);
    await command.says(/^\[1\/6\] single\/none .*100/m);
    command.signal('SIGINT');
    expect(await command.finished).toEqual({ code: 130, signal: null });
    const result = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as LabResult;
    expect(result.cells[0]).toMatchObject({ cell: { id: 'single/none' }, requests: 100, answered: 100 });
    expect(result.left).toEqual([expect.stringMatching(/^\d cells: ended by SIGINT$/)]);
    expect(Number(result.left[0]?.[0]) + result.cells.length).toBe(6);
    expect(command.stdout).toContain('ended by SIGINT');
    expect(lab.leftOver()).toEqual([]);
  },
  WITHIN,
);

test(
  'SIGINT twice ends it at once, and its servers end with it',
  async () => {
    const { command, pids } = await middle('--only', 'fork/pgbouncer-strict/w4/m0');
    command.signal('SIGINT');
    await command.says(/ending, a moment please/);
    command.signal('SIGINT');
    expect((await command.finished).code).toBe(130);
    await lab.gone(pids);
  },
  WITHIN,
);

test.each(['spawn/none/w4/m5', 'fork/pgbouncer-lenient/w4/m1'])(
  'a run that is killed leaves nothing: %s',
  async (cell) => {
    const { command, pids } = await middle('--only', cell);
    await command.stop('SIGKILL'); // and its process group
    await lab.gone(pids);
    expect(lab.leftOver()).toEqual([]);
  },
  WITHIN,
);

test(
  'SIGINT while a request hangs does not wait for its answer',
  async () => {
    const { command, pids } = await middle('--only', 'fork/none/w4/m0');
    const workers = pids.filter((pid) => commandLine(pid).startsWith('postfork: worker'));
    expect(workers).toHaveLength(4);
    for (const pid of workers) process.kill(pid, 'SIGSTOP');
    command.signal('SIGINT'); // an answer would be waited for for 5 times 60 s
    expect((await command.finished).code).toBe(130);
    expect(lab.leftOver()).toEqual([]);
    expect(pids.filter(isRunning)).toEqual([]);
  },
  WITHIN,
);

test(
  'SIGINT before its servers are there ends it',
  async () => {
    const command = lab.start(['--only', 'single/none']);
    await command.says(/starting PostgreSQL/);
    command.signal('SIGINT');
    expect(await command.finished).toEqual({ code: 130, signal: null });
    expect(lab.leftOver()).toEqual([]);
  },
  WITHIN,
);

describe('--keep', () => {
  /** What it says when it serves. */
  const kept = async (
    ...args: string[]
  ): Promise<{ command: SpecProcess; port: number; database: string; arbiter: number; pids: number[] }> => {
    const command = lab.start(['--keep', ...args]);
    const [, port] = await command.says(/ is served at http:\/\/127\.0\.0\.1:(\d+)\/ until Ctrl-C$/m, 'stdout');
    const [, arbiter] = await command.says(/^The site's module, and its process (\d+):\n {2}cat \S+$/m, 'stdout');
    const [, database = ''] = await command.says(/^ {2}psql '(postgres:\S+)' -c/m, 'stdout');
    return { command, port: Number(port), database, arbiter: Number(arbiter), pids: descendants(command.pid) };
  };

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'serves the thread’s cell until %s, with exit code 0',
    async (signal) => {
      const { command, port, database, pids } = await kept();
      expect(command.stdout).toMatch(/^fork\/none\/w4\/m0 is served/);
      const { path, headers, page } = siteRequest(1);
      const sessions = "SELECT count(*)::int FROM pg_stat_activity WHERE datname = 'site' AND pid <> pg_backend_pid()";
      expect(await ask(database, sessions)).toBe(1); // the import's
      const answer = await send(port, { path, headers });
      expect([answer.status, answer.body.toString()]).toEqual([200, page]);
      await until('the end of its session', async () => (await ask(database, sessions)) === 0);
      process.kill(-command.pid, signal);
      expect(await command.finished).toEqual({ code: 0, signal: null });
      expect(lab.leftOver()).toEqual([]);
      expect(pids.filter(isRunning)).toEqual([]);
    },
    WITHIN,
  );

  test(
    'what it says to try works: the request that it shows, as it stands',
    async () => {
      const { command, port } = await kept('--only', 'single/none');
      const [, words = '', url = ''] = /^ {2}curl -i (.*) (http:\S+)$/m.exec(command.stdout) ?? [];
      const headers = Object.fromEntries(
        [...words.matchAll(/-H '([^:]+): ([^']*)'/g)].map(([, name, value]) => [name, value]),
      );
      const answer = await send(port, { path: new URL(url).pathname, headers });
      expect([new URL(url).port, answer.status, answer.body.toString()]).toEqual([
        String(port),
        200,
        siteRequest(1).page,
      ]);
    },
    WITHIN,
  );

  test(
    'SIGINT while the deployment starts ends it',
    async () => {
      const command = lab.start(['--keep']);
      await lab.fileSays(command, 'site.mjs', /export default/);
      command.signal('SIGINT');
      expect(await command.finished).toEqual({ code: 0, signal: null });
      expect(lab.leftOver()).toEqual([]);
    },
    WITHIN,
  );

  test(
    'a deployment that ends by itself is told, with its log, and exit code 1',
    async () => {
      const { command, arbiter, pids } = await kept();
      process.kill(arbiter, 'SIGTERM');
      expect((await command.finished).code).toBe(1);
      expect(command.stderr).toMatch(/^postfork: the deployment has ended:\n[^]*"msg":"serving \S*site\.mjs"/m);
      expect(lab.leftOver()).toEqual([]);
      expect(pids.filter(isRunning)).toEqual([]);
    },
    WITHIN,
  );

  test(
    'where the deployment refuses to start it says why, and leaves nothing',
    async () => {
      const command = lab.start(['--keep', '--only', 'fork/guard']);
      expect((await command.finished).code).toBe(1);
      expect(command.stderr).toMatch(/^postfork: The application has opened a connection while it was loaded/m);
      expect(lab.leftOver()).toEqual([]);
    },
    WITHIN,
  );
});
