// Server.close without `handOver`: a busy kept connection is closed between two requests, sooner as the time runs out.

import { turn, type RawClient } from '../support/raw-client.ts';
import { request } from '../support/raw-records.ts';
import { HEAD, ok, servers } from '../support/servers.ts';
import type { Handler } from '../../lib/server/index.ts';

const { start } = servers();
const keep = true;

async function pause(ms: number): Promise<void> {
  const since = performance.now();
  while (performance.now() - since < ms) await turn();
}

/** Takes some ms. */
const working: Handler = async (incoming, response) => {
  const { length } = await incoming.stdin.bytes(1000);
  response.start(HEAD);
  response.write(`${length}`);
  await pause(10);
  response.write('.');
  response.end();
};

/**
 * Ask again and again, so many ms behind each answer, until the server closes. Resolves with how many answers came, all
 * whole. A request may meet the close on its way; one that a handler has had must be among those that are answered.
 */
async function askOn(client: RawClient, rest: number): Promise<number> {
  for (let answers = 0; ; answers++) {
    if (client.ending !== undefined) return answers;
    const body = await client
      .send(request({ keep, stdin: 'a POST' }))
      .then(async () => (await client.response()).body)
      .catch(() => undefined);
    if (body === undefined) return answers;
    expect(body).toBe('6.');
    await pause(rest);
  }
}

describe('a busy kept connection', () => {
  test.each([
    [1, 3000, 40],
    [1, 3000, 1000], // the default of `idle`
    [30, 3000, 1000],
  ])('with a request every %d ms is closed between two of them within %d ms (idle %d)', async (rest, timeout, idle) => {
    const running = await start({ responder: working });
    const clients = [await running.connect(), await running.connect(), await running.connect()];
    const asking = Promise.all(clients.map((client) => askOn(client, rest)));
    while (running.server.served < 6) await turn();
    const since = performance.now();
    await running.server.close({ timeout, idle });
    const took = performance.now() - since;
    const answers = await asking;
    expect(answers.reduce((sum, count) => sum + count)).toBe(running.server.served);
    expect(took).toBeLessThan(timeout * 0.99); // at the timeout requests are aborted
    expect(took).toBeGreaterThan(timeout / 2); // and not before its time
  });

  test('with pauses is closed in one of them long before the end', async () => {
    const running = await start({ responder: working });
    const client = await running.connect();
    const asking = askOn(client, 250);
    while (running.server.served < 2) await turn();
    const since = performance.now();
    await running.server.close({ timeout: 3000, idle: 400 });
    expect(performance.now() - since).toBeLessThan(1500);
    expect(await asking).toBe(running.server.served);
  });
});

test('a connection that has been idle is closed after `idle`, with much time left', async () => {
  const running = await start({ responder: ok });
  const client = await running.connect();
  await client.send(request({ keep }));
  await client.response();
  const since = performance.now();
  await running.server.close({ timeout: 60_000, idle: 100 });
  const took = performance.now() - since;
  expect(took).toBeGreaterThanOrEqual(90);
  expect(took).toBeLessThan(1000);
  expect(await client.closed).toBe('end');
});

test('one that has not had its first request is not closed early, however little time is left', async () => {
  const running = await start({ responder: ok });
  const client = await running.connect();
  await client.sync();
  const closing = running.server.close({ timeout: 400, idle: 40 });
  await pause(380);
  await client.send(request({ keep, stdin: 'a POST' }));
  expect((await client.response()).body).toBe('ok');
  await closing;
});

test('an answer that the web server takes slowly is not cut, however idle the connection is', async () => {
  const size = 8 * 1024 * 1024;
  const responder: Handler = (_incoming, response) => response.send(HEAD, Buffer.alloc(size));
  const running = await start({ responder });
  const client = await running.connect();
  client.socket.pause();
  await client.send(request({ keep }));
  while (running.server.served === 0 || running.server.requests > 0) await turn();
  const closing = running.server.close({ idle: 40 });
  await pause(100);
  client.socket.resume();
  expect((await client.response()).body.length).toBe(size);
  await closing;
});
