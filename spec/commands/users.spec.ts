// `postfork serve --user --group`, started by root: who loads the application, who serves it, and whose the socket is.

import { statSync } from 'node:fs';
import { SpecProcess } from '../support/process.ts';
import { CLI } from './programs.ts';
import { ask, childrenOf, commands, statusField } from './served.ts';

const command = commands();
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;
const NOBODY = 65534; // of Linux; its group is nogroup in Debian, nobody elsewhere
const [ROOT_IDS, NOBODY_IDS] = ['0 0 0 0', '65534 65534 65534 65534']; // real, effective, saved, for files

const WHO = `
  const who = () => ({ uid: process.getuid(), gid: process.getgid(), groups: process.getgroups() });
  const early = who();
  app.get('/who', () => json({ early, now: who() }));
  app.get('/root', () => { try { process.setuid(0); return 'root again'; } catch ({ code }) { return code; } });
`;

/** The command started by a root that is in more groups. */
async function serve(method: string, ...args: string[]): Promise<{ process: SpecProcess; path: string }> {
  const path = command.name('.sock');
  const given = ['--method', method, '--listen', `unix:${path}`, '--no-control', ...args];
  const script = '$) = "0 0 4 24"; exec { $ARGV[0] } @ARGV';
  const words = [process.execPath, CLI, 'serve', command.write('who.mjs', WHO), ...given];
  const started = new SpecProcess('perl', ['-e', script, ...words]);
  running.push(started);
  await started.says(/"serving /);
  return { process: started, path };
}

const running: SpecProcess[] = [];
afterEach(() => Promise.all(running.splice(0).map((one) => one.stop('SIGKILL'))));

asRoot.each(['single', 'spawn', 'fork'])('by method %s:', (method) => {
  test('--user has its own group and no others, before the application is loaded, and for good', async () => {
    const { path } = await serve(method, '--user', String(NOBODY));
    const client = command.client(`unix:${path}`);
    const who = { uid: NOBODY, gid: NOBODY, groups: [NOBODY] };
    expect(JSON.parse(await ask(client, '/who'))).toEqual({ early: who, now: who });
    expect(await ask(client, '/root')).toBe('EPERM');
  });

  test('--group is another one, and the socket’s', async () => {
    const { path } = await serve(method, '--user', String(NOBODY), '--group', '33');
    const who = { uid: NOBODY, gid: 33, groups: [33] };
    expect(JSON.parse(await ask(command.client(`unix:${path}`), '/who'))).toEqual({ early: who, now: who });
    const { uid, gid, mode } = statSync(path);
    expect({ uid, gid, mode: (mode & 0o777).toString(8) }).toEqual({ uid: 0, gid: 33, mode: '660' });
  });

  test('a group that the place to listen names goes before it', async () => {
    const { path } = await serve(method, '--user', String(NOBODY), '--listen', `unix:${command.name('.s')}?group=4`);
    expect(path).toBeDefined();
    const [, at = ''] = /"at":"unix:([^"?]+)/.exec(running[0]?.stderr ?? '') ?? [];
    expect(statSync(at).gid).toBe(4);
  });

  test('the first process stops as it should, though it may have no right to remove its socket', async () => {
    const { process } = await serve(method, '--user', String(NOBODY));
    expect(await process.stop('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});

asRoot.each(['spawn', 'fork'])('by method %s:', (method) => {
  test('the arbiter stays root, so that it can bind, write and signal; all else is not', async () => {
    const { process, path } = await serve(method, '--user', String(NOBODY), '--workers', '2');
    const [arbiter, ...others] = [process.pid, ...childrenOf(process.pid).flatMap((pid) => [pid, ...childrenOf(pid)])];
    expect(others).toHaveLength(method === 'fork' ? 3 : 2);
    expect(statusField(arbiter as number, 'Uid')).toBe(ROOT_IDS);
    expect(others.map((pid) => statusField(pid, 'Uid'))).toEqual(others.map(() => NOBODY_IDS));
    expect(others.map((pid) => statusField(pid, 'Gid'))).toEqual(others.map(() => NOBODY_IDS));
    process.signal('SIGHUP');
    await process.says(/"msg":"reloaded"/);
    expect(JSON.parse(await ask(command.client(`unix:${path}`), '/who'))).toMatchObject({ now: { uid: NOBODY } });
  });
});

test.each([
  [['--user', 'nobody-of-that-name'], /there is no user nobody-of-that-name/],
  [['--group', 'no-group-of-that-name'], /there is no group no-group-of-that-name/],
])('%j is refused with 1', async (args, message) => {
  const given = ['--listen', `unix:${command.name('.sock')}`, ...args];
  const { code, stderr } = await command.run(['serve', command.write('who.mjs', WHO), ...given]);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});
