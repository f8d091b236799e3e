// The control socket: real sockets, and another user who may not ask.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import {
  askControl,
  controlFolder,
  controlPath,
  listControls,
  makeControlFolder,
  serveControl,
  type ControlSocket,
} from '../../lib/daemon/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
const startedByRoot = process.geteuid?.() === 0 ? describe : describe.skip;
const NOBODY = 65534;
const served: ControlSocket[] = [];

async function serve(path: string, answer: () => object = () => ({ pid: process.pid })): Promise<ControlSocket> {
  const control = await serveControl(path, answer);
  served.push(control);
  return control;
}

afterEach(async () => {
  for (const control of served.splice(0)) await control.close();
});

function modeOf(path: string): number {
  return lstatSync(path).mode & 0o777;
}

/** A socket that an ended process has left. */
function leaveSocket(path: string): number {
  const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
  return spawnSync(process.execPath, ['-e', script, path]).pid;
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

test('whoever connects gets the answer of that moment', async () => {
  let asked = 0;
  const control = await serve(folder.join('a.control'), () => ({ asked: ++asked, text: 'ü'.repeat(200_000) }));
  expect(control.path).toBe(folder.join('a.control'));
  expect(await askControl(control.path)).toEqual({ asked: 1, text: 'ü'.repeat(200_000) });
  expect(await askControl(control.path)).toMatchObject({ asked: 2 });
});

test('the socket has mode 600 whatever the umask, its folder stays as it is, and the umask too', async () => {
  const shared = folder.join('shared');
  mkdirSync(shared);
  chmodSync(shared, 0o777);
  const before = process.umask(0);
  try {
    const { path } = await serve(`${shared}/x`);
    expect(modeOf(path)).toBe(0o600);
    expect(process.umask()).toBe(0);
  } finally {
    process.umask(before);
  }
  expect(modeOf(shared)).toBe(0o777);
  expect(readdirSync(shared)).toEqual(['x']);
});

test('no name in its folder ever shows a socket that others may open', async () => {
  const watched = folder.join('watched');
  mkdirSync(watched);
  const modes = new Set<number>();
  const umask = process.umask.bind(process);
  // called right before and right behind the bind
  const spy = jest.spyOn(process, 'umask').mockImplementation((mask) => {
    for (const name of readdirSync(watched)) modes.add(modeOf(`${watched}/${name}`));
    return umask(mask as number);
  });
  await serve(`${watched}/x`);
  spy.mockRestore();
  expect([...modes]).toEqual([0o600]);
});

startedByRoot('another user', () => {
  test('cannot open it, not even in an open folder', async () => {
    const open = folder.join('open');
    mkdirSync(open);
    chmodSync(folder.path, 0o755);
    chmodSync(open, 0o777);
    const { path } = await serve(`${open}/x`);
    const script = `require('net').connect(process.argv[1]).on('connect', function () { console.log('in'); this.destroy(); })
    .on('error', (error) => console.log(error.code)).resume()`;
    const attempt = (uid: number): string =>
      new TextDecoder().decode(
        spawnSync('timeout', ['5', process.execPath, '-e', script, path], { uid, gid: uid, cwd: '/' }).stdout,
      );
    expect(attempt(NOBODY)).toBe('EACCES\n');
    expect(attempt(0)).toBe('in\n');
  });

  test('has a folder that is refused, to serve in and to list', async () => {
    const theirs = folder.join('theirs');
    mkdirSync(theirs, { mode: 0o700 });
    chownSync(theirs, NOBODY, NOBODY);
    expect(() => makeControlFolder(theirs)).toThrow(`belongs to user ${NOBODY}, not to us`);
    await expect(listControls(theirs)).rejects.toThrow(`belongs to user ${NOBODY}, not to us`);
  });
});

describe('nothing that a client does ends or holds up the process', () => {
  test('what it sends is not read; one that leaves at once is no error', async () => {
    const { path } = await serve(folder.join('b.control'), () => ({ text: 'x'.repeat(1_000_000) }));
    const noisy = await connected(path);
    noisy.on('error', () => {});
    noisy.write('GET / HTTP/1.1\r\n'.repeat(1000));
    (await connected(path)).destroy();
    expect(await askControl(path)).toMatchObject({ text: expect.any(String) });
    noisy.destroy();
  });

  test('an answer that fails is said', async () => {
    const { path } = await serve(folder.join('c.control'), () => {
      throw new Error('not yet');
    });
    expect(await askControl(path)).toEqual({ error: 'not yet' });
  });

  test('16 that do not read leave the seventeenth without an answer; close() ends them all', async () => {
    const control = await serve(folder.join('d.control'), () => ({ text: 'x'.repeat(1_000_000) }));
    const idle: Socket[] = [];
    for (let i = 0; i < 16; i++) idle.push(await connected(control.path));
    await expect(askControl(control.path)).rejects.toThrow('ended without an answer; try again');
    const ended = idle.map((socket) => once(socket.on('error', () => {}).resume(), 'close'));
    await control.close();
    await Promise.all(ended);
  });
});

describe('the path', () => {
  test('of an ended process is replaced; a live one, and what is no socket, is not', async () => {
    const path = folder.join('e.control');
    leaveSocket(path);
    await serve(path);
    expect(await askControl(path)).toEqual({ pid: process.pid });
    await expect(serveControl(path, () => ({}))).rejects.toThrow('another process answers at');
    writeFileSync(folder.join('file'), 'x');
    await expect(serveControl(folder.join('file'), () => ({}))).rejects.toThrow('exists and is not a socket');
  });

  test('is free after close(), which leaves what another process has put there', async () => {
    const first = await serve(folder.join('f.control'));
    await first.close();
    expect(existsSync(first.path)).toBe(false);
    const second = await serve(first.path);
    unlinkSync(second.path);
    await serve(second.path);
    await first.close();
    await second.close();
    expect(await askControl(second.path)).toEqual({ pid: process.pid });
  });

  test('that is too long, or in no folder, is an Error that says so', async () => {
    await expect(serveControl(`/tmp/${'x'.repeat(110)}`, () => ({}))).rejects.toThrow('longer than the 107 bytes');
    await expect(serveControl(folder.join('missing', 'x'), () => ({}))).rejects.toThrow('its folder does not exist');
  });
});

describe('askControl()', () => {
  test('says that nobody is there', async () => {
    leaveSocket(folder.join('stale'));
    await expect(askControl(folder.join('stale'))).rejects.toThrow('nobody answers there; the process has ended');
    await expect(askControl(folder.join('never'))).rejects.toThrow('nobody answers there; the process has ended');
  });

  test.each([
    ['words', 'hello', 'not JSON; is this a control socket?'],
    ['silence', '', 'ended without an answer'],
    ['a flood', 'x'.repeat(4_194_305), 'more than 4194304 bytes'],
  ])('does not take %s for an answer', async (_, text, message) => {
    const path = folder.join(`odd${text.length}`);
    const server = createServer((socket) => socket.on('error', () => {}).end(text)).listen(path);
    await once(server, 'listening');
    await expect(askControl(path)).rejects.toThrow(message);
    server.close();
  });
});

describe('the folder', () => {
  test.each([
    [{ XDG_RUNTIME_DIR: '/run/user/7' }, 7, '/run/user/7/postfork'],
    [{ XDG_RUNTIME_DIR: 'relative' }, 7, `${tmpdir()}/postfork-7`],
    [{}, 7, `${tmpdir()}/postfork-7`],
    [{}, 0, '/run/postfork'],
  ])('with %j for user %d is %s', (environ, uid, path) => {
    expect(controlFolder(environ, uid)).toBe(path);
  });

  test('is made for its owner only, and used again', () => {
    const path = folder.join('own');
    makeControlFolder(path);
    makeControlFolder(path);
    expect(modeOf(path)).toBe(0o700);
    expect(controlPath(path, 12)).toBe(`${path}/12.control`);
  });

  test('that others may enter, or that is a link or a file, is refused', () => {
    const wide = folder.join('wide');
    mkdirSync(wide);
    chmodSync(wide, 0o750);
    expect(() => makeControlFolder(wide)).toThrow(`others may enter the folder ${wide}; set its mode with: chmod 700`);
    mkdirSync(folder.join('real'), { mode: 0o700 });
    symlinkSync(folder.join('real'), folder.join('link'));
    expect(() => makeControlFolder(folder.join('link'))).toThrow('is not a folder (a link is none)');
    writeFileSync(folder.join('plain'), '');
    expect(() => makeControlFolder(folder.join('plain'))).toThrow('is not a folder');
    expect(() => makeControlFolder(folder.join('no', 'parent'))).toThrow('cannot be made: ENOENT');
  });

  test('lists the processes of its sockets by pid, and loses those of ended ones', async () => {
    const list = folder.join('list');
    expect(await listControls(list)).toEqual([]);
    makeControlFolder(list);
    await serve(controlPath(list));
    const parent = createServer().listen(controlPath(list, process.ppid));
    await once(parent, 'listening');
    const ended = controlPath(list, leaveSocket(`${list}/x`)); // a pid that is free again
    leaveSocket(ended);
    writeFileSync(`${list}/notes.txt`, '');
    const pids = [process.pid, process.ppid].sort((a, b) => a - b);
    expect(await listControls(list)).toEqual(pids.map((pid) => ({ pid, path: controlPath(list, pid) })));
    expect(existsSync(ended)).toBe(false);
    parent.close();
  });
});
