// `postfork serve --daemonize`: the first process leaves when the daemon serves, and with it where it does not.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { ask, commands, familyOf, isAlive, logLines, statusField, until } from './served.ts';

const command = commands();

interface Files {
  path: string;
  pidFile: string;
  log: string;
}

/** The command's words, and the files of the daemon. */
function words(method: string, body: string, ...args: string[]): Files & { words: string[] } {
  const [path, pidFile, log] = [command.name('.sock'), command.name('.pid'), command.name('.log')];
  const files = ['--listen', `unix:${path}`, '--pid-file', pidFile, '--log-file', log];
  const module = command.write(`${method}.mjs`, body);
  return { path, pidFile, log, words: ['serve', module, '--method', method, '--daemonize', ...files, ...args] };
}

const pidIn = (file: string): number => command.owned(Number(readFileSync(file, 'utf8')));

/** Session and terminal, by proc_pid_stat(5). */
function sessionOf(pid: number): { session: number; terminal: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return { session: Number(fields[3]), terminal: Number(fields[4]) };
}

describe.each(['single', 'spawn', 'fork'])('by method %s:', (method) => {
  test('the first process leaves when a client is answered; the daemon lives on by itself, until TERM', async () => {
    const { words: given, path, pidFile, log } = words(method, "console.log('loaded'); console.error('odd');");
    const { code, stdout, stderr } = await command.run(given);
    const pid = pidIn(pidFile);
    expect(await ask(command.client(`unix:${path}`), '/pid')).toMatch(/^\d+$/);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(sessionOf(pid)).toEqual({ session: pid, terminal: 0 });
    const family = familyOf(pid);
    expect(family).toHaveLength({ single: 1, spawn: 2, fork: 3 }[method] as number);
    process.kill(pid, 'SIGTERM');
    await until('its end', () => !family.some(isAlive));
    expect(logLines(readFileSync(log, 'utf8')).map(({ msg }) => msg)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^serving /), 'stopping: SIGTERM', 'stopped']),
    );
    expect([path, pidFile].map((file) => existsSync(file))).toEqual([false, false]);
  });

  test('an application that does not start: exit 3, its error on stderr, and nothing is left', async () => {
    const { words: given, path, pidFile } = words(method, "throw new Error('no database');");
    const { code, stderr } = await command.run(given);
    expect(code).toBe(3);
    expect(stderr).toMatch(/no database/);
    expect([path, pidFile].map((file) => existsSync(file))).toEqual([false, false]);
  });

  test('a place that is taken: exit 1 and why', async () => {
    const holder = await command.serve(command.write('holder.mjs', ''));
    const { words: given, pidFile } = words(method, '', '--listen', `unix:${holder.path}`);
    const { code, stderr } = await command.run(given);
    expect(code).toBe(1);
    expect(stderr).toMatch(/another server is listening/);
    expect(existsSync(pidFile)).toBe(false);
    expect(await holder.ask('/pid')).toMatch(/^\d+$/);
  });

  test('Ctrl-C before it serves ends it all', async () => {
    const loading = command.name('.loading');
    const { words: given, path } = words(
      method,
      `writeFileSync('${loading}.tmp', String(process.pid)); (await import('node:fs')).renameSync('${loading}.tmp', '${loading}');
       await new Promise(() => setTimeout(() => {}, 1e8));`,
    );
    const first = command.start(given);
    await until('the application', () => existsSync(loading));
    const pid = command.owned(Number(readFileSync(loading, 'utf8')));
    expect(statusField(pid, 'State')).not.toBe('');
    first.signal('SIGINT');
    expect(await first.finished).toEqual({ code: 130, signal: null });
    expect(first.stderr).toMatch(/interrupted by SIGINT; the daemon was ended/);
    await until('the end of the application', () => !isAlive(pid));
    expect(existsSync(path)).toBe(false);
  });
});

test('a daemon may have its files in the folder that it goes to, and reload there', async () => {
  const folder = command.folder;
  writeFileSync(`${folder}/here.mjs`, 'export default () => String(process.cwd());');
  const files = ['--listen', 'unix:here.sock', '--pid-file', 'here.pid', '--log-file', 'here.log'];
  const { code } = await command.run(['serve', 'here.mjs', '-D', '--chdir', folder, ...files]);
  expect(code).toBe(0);
  const pid = pidIn(`${folder}/here.pid`);
  const client = command.client(`unix:${folder}/here.sock`);
  expect(await ask(client, '/')).toBe(folder);
  process.kill(pid, 'SIGHUP');
  await until('the reload', () => readFileSync(`${folder}/here.log`, 'utf8').includes('"reloaded"'));
  expect(await ask(client, '/')).toBe(folder);
  process.kill(pid, 'SIGTERM');
  await until('its end', () => !isAlive(pid));
});
