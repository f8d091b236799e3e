// What a server that only believes that it listens does, where the program has changed it before.

import { createServer, Server } from 'node:http';
import { takeOverListen, type TakenOver } from '../../../lib/adapters/node/index.ts';

type Close = (callback?: (error?: Error) => void) => Server;

// eslint-disable-next-line typescript/unbound-method -- it is put back
const { close } = Server.prototype;
let taken: TakenOver;

beforeEach(() => void (taken = takeOverListen()));

afterEach(() => {
  taken.restore();
  Server.prototype.close = close;
});

test('a `close` that the program has put around its own is called, and closes', async () => {
  const calls: string[] = [];
  const server = createServer();
  const own = server.close.bind(server) as Close;
  server.close = (callback) => {
    calls.push(`close while ${server.listening}`);
    return own(callback);
  };
  await new Promise<void>((resolve) => server.listen(1, resolve));
  const error = await new Promise((resolve) => server.close(resolve));
  expect({ calls, error, listening: server.listening }).toEqual({
    calls: ['close while true'],
    error: undefined,
    listening: false,
  });
});

test('0 is said to have come to a port, the same one each time', async () => {
  const server = createServer();
  for (let times = 0; times < 2; times++) {
    await new Promise<void>((resolve) => server.listen(0, resolve));
    expect(server.address()).toMatchObject({ port: 49_152 });
    await new Promise((resolve) => server.close(resolve));
  }
});

test('a further server on the same port is served too, one on 0 listens by itself', async () => {
  const [first, same, other] = [createServer(), createServer(), createServer()];
  for (const [server, port] of [
    [first, 0],
    [same, 49_152],
    [other, 0],
  ] as const) {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  }
  expect([first, same, other].map((server) => Object.hasOwn(server, 'address'))).toEqual([true, true, false]);
  expect(other.address()).not.toMatchObject({ port: 49_152 });
  await new Promise((resolve) => other.close(resolve));
});

test('one that never listened says so, as ever', async () => {
  const error = await new Promise((resolve) => createServer().close(resolve));
  expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
});
