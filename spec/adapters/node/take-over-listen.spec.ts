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

test('one that never listened says so, as ever', async () => {
  const error = await new Promise((resolve) => createServer().close(resolve));
  expect(error).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
});
