// The addon of `--method fork`: how it is built, and each of its calls but fork(), which forked-process.spec.ts tries.

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { loadNative, buildNative, type Native } from '../../lib/prefork/native.ts';
import { temporaryFolder } from '../support/temporary.ts';

const ROOT = join(__dirname, '../..');
const SCRIPT = join(ROOT, 'scripts/build-addon.mjs');
const SOURCE = 'lib/prefork/addon/postfork.c';
const folder = temporaryFolder();

/** A copy of what the build needs, with the package of the headers. */
function copy(name: string): { script: string; addon: string; source: string } {
  const root = folder.join(name);
  mkdirSync(join(root, 'lib/prefork/addon'), { recursive: true });
  cpSync(SCRIPT, join(root, 'scripts/build-addon.mjs'));
  cpSync(join(ROOT, SOURCE), join(root, SOURCE));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return {
    script: join(root, 'scripts/build-addon.mjs'),
    addon: join(root, 'build/Release/postfork.node'),
    source: join(root, SOURCE),
  };
}

const run = (script: string, args: string[] = [], environ: Record<string, string> = {}) =>
  spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, ...environ } });

const codeOf = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  return undefined;
};

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('building the addon', () => {
  test('compiles without a warning', () => {
    const headers = join(ROOT, 'node_modules/node-api-headers/include');
    const flags = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', '-fPIC', '-shared', '-I', headers];
    const { status, stderr } = spawnSync('cc', [...flags, '-o', folder.join('warnings.node'), join(ROOT, SOURCE)]);
    expect(String(stderr)).toBe('');
    expect(status).toBe(0);
  });

  test('is done once, and again when the source is newer', () => {
    const { script, addon, source } = copy('again');
    expect(run(script)).toMatchObject({ status: 0, stderr: '', stdout: '' });
    const built = statSync(addon).ino;
    run(script);
    expect(statSync(addon).ino).toBe(built);
    writeFileSync(source, readFileSync(source));
    run(script);
    expect(statSync(addon).ino).not.toBe(built);
  });

  test('without a compiler fails and says what to install, and at install that all else works', () => {
    const { script, addon } = copy('compilerless');
    const without = { PATH: folder.join('nothing'), CC: '' };
    const said = /everything but --method fork works: there is no C compiler.*apt-get install gcc libc6-dev/;
    expect(run(script, [], without)).toMatchObject({ status: 1, stderr: expect.stringMatching(said) as string });
    const installing = run(script, ['--install'], without);
    expect(installing).toMatchObject({ status: 0, stderr: expect.stringMatching(said) as string });
    expect(installing.stderr.trim()).not.toContain('\n');
    expect(existsSync(addon)).toBe(false);
  });

  test('a compiler that fails is heard', () => {
    const { script, addon, source } = copy('broken');
    writeFileSync(source, '#error this is no addon\n');
    expect(run(script)).toMatchObject({ status: 1, stderr: expect.stringContaining('this is no addon') as string });
    expect(run(script, ['--install'])).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('this is no addon') as string,
    });
    expect(existsSync(addon)).toBe(false);
  });

  test('$CC is taken first, with its arguments', () => {
    const { script } = copy('named');
    const compiler = folder.join('my-cc');
    writeFileSync(compiler, '#!/bin/sh\necho "$@" >> "$0.log"\nexec cc "$@"\n');
    chmodSync(compiler, 0o755);
    expect(run(script, [], { CC: `${compiler} -g` }).status).toBe(0);
    expect(readFileSync(`${compiler}.log`, 'utf8')).toMatch(/^-g .*postfork\.c$/m);
  });
});

test('binding.gyp names the source and the flags of the build script', () => {
  const text = readFileSync(join(ROOT, 'binding.gyp'), 'utf8').replace(/^#.*$/gm, '');
  const script = readFileSync(SCRIPT, 'utf8');
  expect(text).toContain(`"sources": ["${SOURCE}"]`);
  expect(script).toContain(SOURCE);
  const flags = /"cflags": \[(.*)\]/.exec(text)?.[1]?.match(/-[^"]+/g) ?? [];
  expect(flags).toContain('-Wall');
  for (const flag of [...flags, '-Wl,-z,now']) expect(script).toContain(`'${flag}'`);
});

onLinux('the addon', () => {
  let native: Native;

  beforeAll(async () => {
    await buildNative();
    execFileSync(process.execPath, [SCRIPT]); // it may be older than its source
    native = loadNative();
  });

  test('pid() is the process', () => {
    expect(native.pid()).toBe(process.pid);
  });

  test('wait() takes no other children than those it is asked for', async () => {
    for (const pid of [0, -1]) expect(codeOf(() => native.wait(pid))).toBe('EINVAL');
    expect(codeOf(() => native.wait(process.pid))).toBe('ECHILD');
    expect(codeOf(() => native.wait('1' as unknown as number))).toBe('EINVAL');
    expect((await promisify(execFile)('echo', ['all is well'])).stdout).toBe('all is well\n');
  });

  test('exit() ends a process at once', () => {
    const addon = join(ROOT, 'build/Release/postfork.node');
    const code = `process.on('exit', () => console.log('heard')); require(${JSON.stringify(addon)}).exit(7);`;
    expect(spawnSync(process.execPath, ['-e', code])).toMatchObject({ status: 7, stdout: Buffer.alloc(0) });
  });

  test('socketpair() connects two sockets', async () => {
    const [one, other] = native.socketpair().map((fd) => new Socket({ fd })) as [Socket, Socket];
    one.end('across');
    expect(String((await once(other, 'data'))[0])).toBe('across');
    other.destroy();
  });

  test('descriptors travel, as many in each message as were sent', async () => {
    const [from, to] = native.socketpair();
    expect(codeOf(() => native.receiveDescriptors(to))).toBe('EAGAIN');
    const pairs = [native.socketpair(), native.socketpair()];
    native.sendDescriptors(from, [pairs[0]![1], pairs[1]![1]]);
    native.sendDescriptors(from, [pairs[0]![1]]);
    const received = native.receiveDescriptors(to);
    expect(received).toHaveLength(2);
    const again = native.receiveDescriptors(to);
    expect(again).toHaveLength(1);

    const reader = new Socket({ fd: received[1]! });
    const writer = new Socket({ fd: pairs[1]![0] });
    writer.end('through the copy');
    expect(String((await once(reader, 'data'))[0])).toBe('through the copy');

    for (const bad of [[], Array<number>(9).fill(from), ['x']] as number[][]) {
      expect(codeOf(() => native.sendDescriptors(from, bad))).toBe('EINVAL');
    }
    expect(codeOf(() => native.sendDescriptors(from, [9999]))).toBe('EBADF');
    const rest = [from, pairs[0]![0], pairs[0]![1], pairs[1]![1], received[0]!, again[0]!];
    for (const fd of rest) new Socket({ fd }).destroy();
    expect(native.receiveDescriptors(to)).toEqual([]); // the other end is closed
    new Socket({ fd: to }).destroy();
    reader.destroy();
  });

  test('notify() sends one datagram to a path, and to an abstract name', () => {
    // Node has no unix datagram sockets: Perl listens.
    const listen = `use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0); my $p = $ARGV[0]; $p =~ s/^@/\\0/;
      bind(S, pack_sockaddr_un($p)) or die $!; $| = 1; print "ready\\n"; recv(S, my $m, 5000, 0); print $m;`;
    const notifier = `const { execFile } = require('node:child_process');
      const child = execFile('perl', ['-e', ${JSON.stringify(listen)}, process.argv[1]], (_e, out) => console.log(out));
      child.stdout.once('data', () => require(process.argv[2]).notify(process.argv[1], 'READY=1\\nSTATUS=\\u00fc'));`;
    for (const path of [folder.join('notify.sock'), `@postfork-spec-${process.pid}`]) {
      const args = ['-e', notifier, path, join(ROOT, 'build/Release/postfork.node')];
      expect(spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 10_000 }).stdout).toBe(
        'ready\nREADY=1\nSTATUS=\u00fc\n',
      );
    }
  });

  test('notify() says why it could not', async () => {
    expect(codeOf(() => native.notify(folder.join('nobody'), 'READY=1'))).toBe('ENOENT');
    expect(codeOf(() => native.notify('', 'READY=1'))).toBe('EINVAL');
    expect(codeOf(() => native.notify(`/${'x'.repeat(107)}`, 'READY=1'))).toBe('ENAMETOOLONG');
    expect(codeOf(() => native.notify('/x', 'x'.repeat(4092)))).toBe('EMSGSIZE');
    expect(codeOf(() => native.notify('/x', 1 as unknown as string))).toBe('EINVAL');
    const stream = createServer().listen(folder.join('stream.sock'));
    await once(stream, 'listening');
    expect(codeOf(() => native.notify(folder.join('stream.sock'), 'READY=1'))).toBe('EPROTOTYPE');
    stream.close();
  });

  test('requests() counts what is under way in the thread pool, too', async () => {
    const before = native.requests();
    const work = promisify(deflate)('x');
    expect(native.requests()).toBe(before + 1);
    await work;
    expect(native.requests()).toBe(before);
  });
});
