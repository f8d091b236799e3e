// A unix socket's file, put in place and taken away while the other is still being done.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { placeUnixSocket, type PlacedSocket } from '../../lib/server/unix-socket.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();
let server: Server;

async function placed(): Promise<PlacedSocket> {
  server = createServer();
  return placeUnixSocket({ path: folder.join('app.sock'), mode: 0o600, group: undefined }, async (path) => {
    await once(server.listen(path), 'listening');
  });
}

afterEach(() => new Promise((resolve) => server.close(resolve)));

test('is there once it is published, and not when it is removed', async () => {
  const socket = await placed();
  await socket.publish();
  expect(readdirSync(folder.path)).toEqual(['app.sock']);
  await socket.remove();
  expect(readdirSync(folder.path)).toEqual([]);
});

test.each<[string, (socket: PlacedSocket) => Promise<unknown>]>([
  ['while it is published', (socket) => Promise.all([socket.publish(), socket.remove()])],
  ['before it is published', (socket) => Promise.all([socket.remove(), socket.publish()])],
  ['and never published', (socket) => socket.remove()],
  ['and published after all', (socket) => socket.remove().then(() => socket.publish())],
])('removed %s, it leaves nothing', async (_when, act) => {
  await act(await placed());
  expect(readdirSync(folder.path)).toEqual([]);
});
