// In how many processes a connection is, with a real socket in real processes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { copiesOf } from '../../../lib/lab/run/copies.ts';
import { line, session } from './runs.ts';

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('copiesOf', () => {
  let socket: Socket;
  const server = createServer();
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
  });
  afterAll(() => {
    socket.destroy();
    server.close();
  });
  const open = (): { port: number } => ({ port: socket.localPort ?? 0 });

  test('counts the processes of the journal that have the socket, and no others', async () => {
    const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', socket] });
    const other = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      await Promise.all([once(child, 'spawn'), once(other, 'spawn')]);
      const import_ = line(1, process.pid, 'open', open());
      const fork = (pid = 0): ReturnType<typeof line> => line(2, pid, 'fork');
      expect(copiesOf([import_], [])).toBe(1);
      expect(copiesOf([import_, fork(child.pid), fork(child.pid)], [])).toBe(2);
      expect(copiesOf([import_, fork(child.pid), fork(other.pid), fork(2 ** 22 + 1)], [])).toBe(2);
    } finally {
      child.kill();
      other.kill();
    }
  });

  test('finds its port by its backend where the process does not tell it', () => {
    const import_ = line(1, process.pid, 'open', { backend: 21 });
    expect(copiesOf([import_], [session(20, 1, 0, null), session(21, open().port, 0, null)])).toBe(1);
    expect(copiesOf([import_], [])).toBeNull();
  });

  test('null where nothing was opened outside of a request', () => {
    expect(copiesOf([line(1, process.pid, 'open', { ...open(), request: 1 })], [])).toBeNull();
    expect(copiesOf([], [])).toBeNull();
  });
});
