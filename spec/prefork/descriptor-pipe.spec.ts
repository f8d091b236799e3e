// DescriptorPipe: open connections on their way between two processes.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { DescriptorPipe } from '../../lib/prefork/descriptor-pipe.ts';
import { buildNative, loadNative, type Native } from '../../lib/prefork/native.ts';
import { descriptorsOf } from '../support/processes.ts';

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('a descriptor pipe', () => {
  let native: Native;
  let here: DescriptorPipe;
  let there: DescriptorPipe;
  let theirs: number;
  const opened: number[] = [];

  beforeAll(async () => {
    await buildNative();
    native = loadNative();
  });
  beforeEach(() => {
    const pair = DescriptorPipe.pair(native);
    ({ ours: here, theirs } = pair);
    there = new DescriptorPipe(native, theirs);
  });
  afterEach(() => {
    here.close();
    there.close();
    for (const fd of opened.splice(0)) closeSync(fd);
  });

  function file(name: string = __filename): number {
    const fd = openSync(name, 'r');
    opened.push(fd);
    return fd;
  }

  function received(pipe: DescriptorPipe): number {
    const fd = pipe.receive();
    if (fd === undefined) throw new Error('nothing has come');
    opened.push(fd);
    return fd;
  }

  test('carries a copy: the connection works at the other end when it is closed at this one', async () => {
    const [mine, peer] = native.socketpair();
    expect(here.send(mine)).toBe(true);
    closeSync(mine);
    const socket = new Socket({ fd: there.receive() as number });
    socket.end('hello');
    const chunks: Buffer[] = [];
    for await (const chunk of new Socket({ fd: peer })) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('hello');
  });

  test('leaves what is sent open, and carries both ways', () => {
    const fd = file();
    expect(there.send(fd)).toBe(true);
    expect(fstatSync(received(here)).ino).toBe(fstatSync(fd).ino);
    expect(() => fstatSync(fd)).not.toThrow();
  });

  test('gives one at a time, in the order in which they were sent', () => {
    const names = [__filename, '/', '/dev/null'];
    for (const name of names) here.send(file(name));
    const inodes = names.map(() => fstatSync(received(there)).ino);
    expect(inodes).toEqual(names.map((name) => fstatSync(file(name)).ino));
    expect(there.receive()).toBe(undefined);
  });

  test('has nothing to give where nothing was sent, and where the other end is closed', () => {
    expect(there.receive()).toBe(undefined);
    here.close();
    expect(there.receive()).toBe(undefined);
  });

  test('gives what was sent before the other end was closed', () => {
    here.send(file());
    here.close();
    expect(fstatSync(received(there)).ino).toBe(fstatSync(file()).ino);
    expect(there.receive()).toBe(undefined);
  });

  test('does not send to an end that is closed, nor what is not open', () => {
    const closed = openSync(__filename, 'r');
    closeSync(closed);
    expect(here.send(closed)).toBe(false);
    there.close();
    expect(here.send(file())).toBe(false);
  });

  test('holds so many and no more; it goes on when they are taken', () => {
    const fd = file();
    let sent = 0;
    while (sent < 100_000 && here.send(fd)) sent += 1;
    expect(sent).toBeGreaterThan(10);
    expect(sent).toBeLessThan(100_000);
    for (let count = 0; count < sent; count++) closeSync(there.receive() as number);
    expect(there.receive()).toBe(undefined);
    expect(here.send(fd)).toBe(true);
    received(there);
  });

  test('takes one of several that came at once, and keeps none of the others open', () => {
    const fd = file();
    const before = descriptorsOf(process.pid);
    native.sendDescriptors(theirs, [fd, fd, fd]);
    received(here);
    expect(descriptorsOf(process.pid)).toBe(before + 1);
  });

  test('is closed once, with what was not taken; then it neither sends nor gives', () => {
    const fd = file();
    const before = descriptorsOf(process.pid);
    here.send(fd);
    there.close();
    there.close();
    expect(descriptorsOf(process.pid)).toBe(before - 1);
    expect(there.send(fd)).toBe(false);
    expect(there.receive()).toBe(undefined);
  });
});
