// `postfork status` and the control sockets that it asks.

import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { SpecProcess } from '../support/process.ts';
import { ask, commands, makeFolder, until, type Served, type Status } from './served.ts';

const command = commands();
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;

let environ: Record<string, string>;
beforeEach(() => {
  environ = { XDG_RUNTIME_DIR: makeFolder(command.name('.run'), 0o700) };
});

const serve = (name: string, ...args: string[]): Promise<Served> =>
  command.serve(command.write(name, ''), args, { environ });
const status = (...args: string[]): ReturnType<typeof command.run> => command.run(['status', ...args], { environ });
const controlOf = ({ process }: Served): string =>
  join(environ['XDG_RUNTIME_DIR'] as string, 'postfork', `${process.pid}.control`);

describe.each(['spawn', 'fork'])('by method %s:', (method) => {
  test('--json tells of the arbiter and of each worker', async () => {
    const served = await serve('app.mjs', '--method', method, '--workers', '2');
    for (let i = 0; i < 3; i++) await served.ask('/pid');
    const release = command.name('.release');
    const held = served.ask(`/hold?until=${release}`);
    let found: Status | undefined;
    await until('the load', async () => {
      const { code, stdout, stderr } = await status(String(served.process.pid), '--json');
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      found = JSON.parse(stdout) as Status;
      const sum = (of: 'requests' | 'active'): number =>
        (found as Status).workers.reduce((all, one) => all + one[of], 0);
      return sum('requests') === 4 && sum('active') === 1;
    });
    writeFileSync(release, '');
    const pid = Number(await held);
    const worker = {
      pid: expect.any(Number),
      generation: 1,
      state: 'ready',
      requests: expect.any(Number),
      active: 0,
      connections: 0,
      rss: expect.any(Number),
      age: expect.any(Number),
    };
    expect(found).toEqual({
      pid: served.process.pid,
      state: 'running',
      startedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      generation: 1,
      wanted: 2,
      workers: expect.arrayContaining([{ ...worker, pid, active: 1, connections: 1 }, worker]),
      at: `unix:${served.path}`,
      application: join(command.folder, 'app.mjs'),
      method,
    });
    expect(found?.workers).toHaveLength(2);
    for (const { rss, age } of found?.workers ?? []) {
      expect(rss).toBeGreaterThan(10 * 1024 * 1024);
      expect(age).toBeLessThan(60);
    }
  });
});

test('tells people the same, as a table', async () => {
  const served = await serve('app.mjs');
  const [pid = 0] = await served.pids();
  const { code, stdout } = await status();
  expect(code).toBe(0);
  const [place, arbiter, empty, head = '', worker] = stdout.split('\n');
  expect(place).toBe(`${join(command.folder, 'app.mjs')} at unix:${served.path}`);
  expect(arbiter).toMatch(
    new RegExp(`^arbiter ${served.process.pid}, running for \\d+s, method spawn, generation 1, 1 workers wanted$`),
  );
  expect(empty).toBe('');
  expect(head.split(/\s+/).filter(Boolean)).toEqual(
    'worker generation state requests active connections memory age'.split(' '),
  );
  expect(worker).toMatch(new RegExp(`^ *${pid} +1 +ready +\\d+ +0 +\\d+ +\\d+ MiB +\\d+s$`));
});

test('says that it reloads, and of both generations', async () => {
  const file = 'slow-to-start.mjs';
  const served = await serve(file);
  const release = command.name('.release');
  command.write(file, `while (!existsSync('${release}')) await delay(10);`);
  served.process.signal('SIGHUP');
  await served.process.says(/"msg":"reloading"/);
  const { stdout } = await status(String(served.process.pid), '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    state: 'reloading',
    generation: 1,
    workers: [
      { generation: 1, state: 'ready' },
      { generation: 2, state: 'booting' },
    ],
  });
  writeFileSync(release, '');
  await served.process.says(/"msg":"reloaded"/);
  const after = JSON.parse((await status(String(served.process.pid), '--json')).stdout) as Status;
  expect(after).toMatchObject({ state: 'running', generation: 2 });
});

test('tells of all arbiters, or of the one that is named', async () => {
  const [one, other] = await Promise.all([serve('one.mjs'), serve('other.mjs')]);
  const all = await status('--json');
  const pids = [one, other].map(({ process }) => process.pid);
  expect((JSON.parse(all.stdout) as Status[]).map(({ pid }) => pid)).toEqual(pids.toSorted((a, b) => a - b));
  const { stdout } = await status();
  expect(stdout).toMatch(/(one|other)\.mjs at unix:[^]*\n\n[^]*(one|other)\.mjs at unix:/);
  expect((await status(String(other.process.pid))).stdout).toMatch(/^[^\n]*other\.mjs at [^]*$/);
  expect((await status(controlOf(one))).stdout).toMatch(/^[^\n]*one\.mjs at /);
});

test('one that does not answer hides no other', async () => {
  const served = await serve('app.mjs');
  const path = join(environ['XDG_RUNTIME_DIR'] as string, 'postfork', `${process.pid}.control`);
  const silent = createServer((socket) => socket.destroy()).listen(path);
  try {
    for (const args of [[], ['--json']]) {
      const { code, stdout, stderr } = await status(...args);
      expect(code).toBe(1);
      expect(stdout).toContain(`unix:${served.path}`);
      expect(stderr).toBe(`postfork: ${path}: it ended without an answer; try again\n`);
    }
  } finally {
    silent.close();
  }
});

test('where no arbiter runs: exit 1 and why, an empty list as JSON', async () => {
  const { code, stdout, stderr } = await status();
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toBe(`postfork: no arbiter runs here (nothing in ${environ['XDG_RUNTIME_DIR']}/postfork)\n`);
  expect(await status('--json')).toEqual({ code: 0, stdout: '[]\n', stderr: '' });
});

test.each(['4294967', '/nowhere/at/all.control'])('%s is nobody: exit 1', async (arbiter) => {
  const { code, stderr } = await status(arbiter);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^postfork: .*\.control: nobody answers there; the process has ended\n$/);
});

test('what a killed arbiter has left is not shown, and is cleared away', async () => {
  const served = await serve('app.mjs');
  await served.process.stop('SIGKILL');
  expect(existsSync(controlOf(served))).toBe(true);
  expect((await status('--json')).stdout).toBe('[]\n');
  expect(existsSync(controlOf(served))).toBe(false);
});

describe('the control socket', () => {
  test('is for the owner only, and gone at the end', async () => {
    const served = await serve('app.mjs');
    expect(statSync(controlOf(served)).mode & 0o777).toBe(0o600);
    expect(statSync(join(controlOf(served), '..')).mode & 0o777).toBe(0o700);
    await served.process.stop('SIGTERM');
    expect(existsSync(controlOf(served))).toBe(false);
  });

  test('--control says where it is', async () => {
    const control = command.name('.control');
    const served = await serve('app.mjs', '--control', control);
    expect(statSync(control).mode & 0o777).toBe(0o600);
    expect(JSON.parse((await status(control, '--json')).stdout)).toMatchObject({ pid: served.process.pid });
    expect(readdirSync(environ['XDG_RUNTIME_DIR'] as string)).toEqual([]);
    await served.process.stop('SIGTERM');
    expect(existsSync(control)).toBe(false);
  });

  asRoot('another user', () => {
    test('cannot ask, wherever it is', async () => {
      const control = command.name('.control');
      const { process } = await serve('app.mjs', '--control', control);
      const script = 'use Socket; use POSIX; POSIX::setuid($ARGV[1]); socket(S, AF_UNIX, SOCK_STREAM, 0);';
      const connect = `${script} connect(S, pack_sockaddr_un($ARGV[0])) or die "$!\\n"; print STDERR "connected\\n"; `;
      for (const [user, answer] of [
        ['65534', 'Permission denied\n'],
        ['0', 'connected\n'],
      ] as const) {
        const other = new SpecProcess('perl', ['-e', connect, control, user]);
        await other.finished;
        expect(other.stderr).toBe(answer);
      }
      expect(process.running).toBe(true);
    });
  });

  test('--no-control makes none', async () => {
    const { ask } = await serve('app.mjs', '--no-control');
    expect(await ask('/pid')).toMatch(/^\d+$/);
    expect(readdirSync(environ['XDG_RUNTIME_DIR'] as string)).toEqual([]);
  });

  test('--control where another one answers, or a file is, ends the command with 1 and leaves nothing', async () => {
    const control = command.name('.control');
    await serve('app.mjs', '--control', control);
    const file = command.name('.file');
    writeFileSync(file, 'kept');
    const folder = makeFolder(command.name('.folder'), 0o700);
    for (const [taken, why] of [
      [control, /another process answers at/],
      [file, /exists and is not a socket/],
    ] as const) {
      const args = ['--control', taken, '--listen', `unix:${join(folder, 's')}`];
      const { code, stderr } = await command.run(['serve', join(command.folder, 'app.mjs'), ...args], { environ });
      expect(code).toBe(1);
      expect(stderr).toMatch(why);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  test('where its own folder cannot be had, the arbiter says so and serves', async () => {
    environ['XDG_RUNTIME_DIR'] = '/nowhere/at/all';
    const { process, client } = await serve('app.mjs');
    expect(process.stderr).toMatch(/without a control socket.*\n/);
    expect(await ask(client, '/pid')).toMatch(/^\d+$/);
  });
});
