// Daemons: real ones, launched by a real command.

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { DaemonError, daemonLauncher, startDaemon, type DaemonOptions } from '../../lib/daemon/index.ts';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const PROGRAM = join(__dirname, 'programs/daemon.ts');

const folder = temporaryFolder();
const left: number[] = []; // processes outside of their launcher's group

function launch(behaviour: string, options: DaemonOptions = {}, report = ''): SpecProcess {
  const tsx = require.resolve('tsx'); // relative to nothing, for a daemon in another folder
  return new SpecProcess(process.execPath, ['--import', tsx, PROGRAM, behaviour, JSON.stringify(options), report]);
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')); // nobody may be there to reap it
  } catch {
    return false;
  }
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it does not come');
    await delay(10);
  }
}

interface Serving {
  pid: number;
  cwd: string;
  descriptors: string[];
  environ: string[];
}

async function serving(report: string): Promise<Serving> {
  await until(() => existsSync(report) && readFileSync(report, 'utf8').endsWith('}'));
  const found = JSON.parse(readFileSync(report, 'utf8')) as Serving;
  left.push(found.pid);
  return found;
}

/** Its session and its parent, by proc_pid_stat(5). */
function sessionOf(pid: number): { session: number; parent: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { parent: Number(fields[1]), session: Number(fields[3]) };
}

afterAll(() => {
  for (const pid of left) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

test('the command leaves with 0 when the daemon serves, which goes on by itself, in a session of its own', async () => {
  const report = folder.join('serves');
  const command = launch('serves', {}, report);
  expect(await command.finished).toEqual({ code: 0, signal: null });
  expect(command.stdout + command.stderr).toBe('');
  const daemon = await serving(report);
  expect(sessionOf(daemon.pid).session).toBe(daemon.pid);
  expect(sessionOf(daemon.pid).parent).not.toBe(command.pid);
  expect(daemon.descriptors).toEqual(['/dev/null', '/dev/null', '/dev/null']);
  expect(daemon.environ).toEqual([]);
  expect(daemon.cwd).toBe(process.cwd());
  process.kill(daemon.pid, 'SIGTERM');
  await until(() => !isAlive(daemon.pid));
});

test('outlog and errlog have what it says; it runs where it is told to', async () => {
  const report = folder.join('logs');
  const [outlog, errlog] = [folder.join('out.log'), folder.join('err.log')];
  await launch('serves', { outlog, errlog, cwd: folder.path }, report).finished;
  const daemon = await serving(report);
  expect(daemon.cwd).toBe(folder.path);
  process.kill(daemon.pid, 'SIGTERM');
  await until(() => !isAlive(daemon.pid));
  expect(readFileSync(outlog, 'utf8')).toBe('on stdout\n');
  expect(readFileSync(errlog, 'utf8')).toBe('loading\nlogged\nstill logged\nserving\nended\n');
});

test('a daemon that says why it cannot serve: the command prints that and exits with its code', async () => {
  const command = launch('fails');
  expect(await command.finished).toEqual({ code: 7, signal: null });
  expect(command.stderr).toBe('the socket is taken\n');
});

test.each([{}, { errlog: 'errlog' }])(
  'a daemon that dies before it serves: its code and its last lines (%j)',
  async (logs) => {
    const errlog = 'errlog' in logs ? { errlog: folder.join('dies.log') } : {};
    const command = launch('dies', errlog);
    expect(await command.finished).toEqual({ code: 5, signal: null });
    expect(command.stderr).toBe(
      'the daemon ended before it served (exit code 5); its last lines:\nError: cannot load app.ts\n',
    );
  },
);

test.each([
  ['is killed', 137, 137],
  ['ends', 0, 1],
])('a daemon that %s: exit code %d is told, %d is ours', async (behaviour, told, code) => {
  const command = launch(behaviour);
  expect(await command.finished).toEqual({ code, signal: null });
  expect(command.stderr).toBe(`the daemon ended before it served (exit code ${told})\n`);
});

test('what a dead daemon has left behind does not keep the command waiting', async () => {
  const report = folder.join('child');
  const command = launch('leaves a child and dies', {}, report);
  expect((await command.exited).code).toBe(6);
  const child = Number(readFileSync(report, 'utf8'));
  left.push(child);
  expect(isAlive(child)).toBe(true);
});

test('a daemon that says nothing in time is ended', async () => {
  const report = folder.join('late');
  const command = launch('says nothing', { timeout: 3000 }, report);
  expect((await command.finished).code).toBe(143);
  expect(command.stderr).toBe('the daemon did not serve within 3000 ms (exit code 143)\n');
  expect(existsSync(report) && isAlive(Number(readFileSync(report, 'utf8')))).toBe(false);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s before it serves ends the daemon too', async (signal, code) => {
  const report = folder.join(signal);
  const command = launch('says nothing', {}, report);
  await until(() => existsSync(report) && readFileSync(report, 'utf8') !== '');
  command.signal(signal);
  expect((await command.finished).code).toBe(code);
  expect(command.stderr).toBe(`interrupted by ${signal}; the daemon was ended\n`);
  expect(isAlive(Number(readFileSync(report, 'utf8')))).toBe(false);
});

describe('startDaemon() in a process that goes on', () => {
  const argv = (...rest: string[]): string[] => ['--import', require.resolve('tsx'), PROGRAM, ...rest];

  test('tells the pid of the daemon', async () => {
    const report = folder.join('pid');
    const { pid } = await startDaemon({ argv: argv('serves', '', report) });
    expect((await serving(report)).pid).toBe(pid);
    process.kill(pid, 'SIGTERM');
    await until(() => !isAlive(pid));
  });

  test('rejects with the message and the exit code of one that failed, and catches OS signals no more', async () => {
    const before = process.listenerCount('SIGINT');
    const failed = startDaemon({ argv: argv('fails') });
    expect(process.listenerCount('SIGINT')).toBe(before + 1);
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DaemonError);
    expect(error).toMatchObject({ message: 'the socket is taken', exitCode: 7 });
    expect(process.listenerCount('SIGINT')).toBe(before);
  });

  test('rejects where it cannot be started', async () => {
    await expect(startDaemon({ cwd: folder.join('missing') })).rejects.toThrow('the daemon cannot be started: spawn');
    await expect(startDaemon({ errlog: folder.join('missing', 'log') })).rejects.toThrow('ENOENT');
  });
});

test('a process that nobody has launched is no daemon, whatever its environment says', () => {
  expect(daemonLauncher({})).toBeUndefined();
});
