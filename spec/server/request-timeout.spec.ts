// requestTimeout: a request that is not answered in time ends, whatever its handler does.

import { once } from 'node:events';
import type { Handler, RequestError } from '../../lib/server/index.ts';
import { Mailbox } from '../support/mailbox.ts';
import { turn } from '../support/raw-client.ts';
import { ABORT, END, head, record, request, STDERR, STDIN, STDOUT, stream } from '../support/raw-records.ts';
import { HEAD, ok, servers } from '../support/servers.ts';

const { start, calls } = servers();
const keep = true;
const FOREIGN = 255; // a type that no web server takes for a part of an answer

async function pause(ms: number): Promise<void> {
  const since = performance.now();
  while (performance.now() - since < ms) await turn();
}

/** Cut within PARAMS: until the rest comes the request is active, and no handler has it. */
function halves(bytes: Buffer): [Buffer, Buffer] {
  return [bytes.subarray(0, 20), bytes.subarray(20)];
}

describe('before the head', () => {
  test('it is a complete 504 that waits for nobody, and the handler is told', async () => {
    const played = calls();
    const others = { stallTimeout: 60_000, abortTimeout: 60_000 }; // deadlines that make the server look often
    const running = await start({ responder: played.handler, requestTimeout: 40, ...others });
    const client = await running.connect();
    const since = performance.now();
    await client.send(request({ keep }));
    const { request: incoming, response } = await played.next();
    const answer = await client.response();
    expect(performance.now() - since).toBeGreaterThanOrEqual(40);
    expect(performance.now() - since).toBeLessThan(900);
    expect(answer).toMatchObject({ status: 504, body: '504 Gateway Timeout\n', appStatus: 1, protocolStatus: 0 });
    expect(answer.stderr).toBe('the request ended: it was not answered within requestTimeout, 40 ms\n');
    expect([incoming.aborted, response.over, running.server.requests]).toEqual([true, true, 0]);
    expect(incoming.signal.reason).toMatchObject({ name: 'RequestError', code: 'TIMEOUT' });
  });

  test('one warning says which', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, requestTimeout: 20 });
    const client = await running.connect();
    await client.send(request({ params: { REQUEST_METHOD: 'PUT', REQUEST_URI: '/slow?a=b' } }));
    await client.response();
    expect(running.log).toEqual([
      {
        level: 'warn',
        fields: { method: 'PUT', uri: '/slow?a=b' },
        message: 'request ended: it was not answered within requestTimeout, 20 ms',
      },
    ]);
  });

  test('what the handler says later goes nowhere, and the connection serves on with the same id', async () => {
    const played = calls();
    const responder: Handler = (incoming, response) =>
      incoming.params.get('REQUEST_URI') === '/next' ? ok(incoming, response) : played.handler(incoming, response);
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    await client.send(request({ keep }));
    const late = await played.next();
    expect((await client.response()).status).toBe(504);
    const count = client.records.length;
    const [next, rest] = halves(request({ keep, params: { REQUEST_URI: '/next' } }));
    await client.send(next);
    late.response.stderr('late');
    late.response.send(HEAD, 'late');
    late.response.start(HEAD);
    expect(late.response.write('late')).toBe(true);
    late.response.end();
    late.response.cut();
    late.finish();
    await turn();
    await client.send(rest);
    expect((await client.response()).body).toBe('ok');
    expect(client.records.slice(count).map(({ type }) => type)).toEqual([STDOUT, STDOUT, END]);
  });

  test('what the handler says when it is told goes nowhere', async () => {
    const responder: Handler = ({ signal }, response) =>
      signal.addEventListener('abort', () => response.send(HEAD, 'sorry'));
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(504);
    await client.sync();
    expect(client.records.filter(({ type }) => type === END).length).toBe(1);
  });

  test('a handler that fails when it is told is no failure', async () => {
    const responder: Handler = async ({ signal }) => {
      await once(signal, 'abort');
      throw signal.reason;
    };
    const running = await start({ responder, requestTimeout: 20 });
    const client = await running.connect();
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(504);
    await client.sync();
    expect(running.log.map(({ level }) => level)).toEqual(['warn', 'debug']);
  });

  test('without KEEP_CONN the connection ends behind it', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, requestTimeout: 20 })).connect();
    await client.send(request());
    expect((await client.response()).status).toBe(504);
    expect(await client.closed).toBe('end');
  });
});

describe('after the head', () => {
  test('alone on its connection, it is broken off as after an error', async () => {
    const responder: Handler = (_request, response) => response.start(HEAD);
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    await client.send(request({ keep }));
    expect(await client.closed).toBe('end');
    expect(client.records.map(({ type }) => type)).toEqual([STDOUT, STDERR, FOREIGN]);
  });

  test('while others share the connection: END_REQUEST with an appStatus, no end of STDOUT, the others go on', async () => {
    const responder: Handler = (incoming, response) =>
      incoming.id === 1 ? response.start(HEAD) : ok(incoming, response);
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    const [begun, rest] = halves(request({ id: 2, keep }));
    await client.send(Buffer.concat([request({ id: 1, keep }), begun]));
    const answer = await client.response(1);
    expect(answer.records.map(({ type }) => type)).toEqual([STDOUT, STDERR, END]);
    expect(answer.appStatus).toBe(1);
    await client.send(rest);
    expect((await client.response(2)).body).toBe('ok');
  });

  test('a handler that waits for room waits no longer', async () => {
    const ended = new Mailbox<boolean[]>();
    const responder: Handler = async (_request, response) => {
      response.start(HEAD);
      const room = response.write(Buffer.alloc(8 * 1024 * 1024));
      await response.drained();
      ended.put([room, response.over]);
    };
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    client.socket.pause();
    await client.send(request({ keep }));
    expect(await ended.next()).toEqual([false, true]);
    expect(client.received).toBe(0);
    client.socket.resume();
    expect(await client.closed).toBe('end');
    expect(client.records.at(-1)?.type).toBe(FOREIGN);
  });
});

describe('a request whose body still comes', () => {
  test('who waits for it gets TIMEOUT; the rest of it is skipped, and the next request is served', async () => {
    const codes: unknown[] = [];
    const responder: Handler = async ({ stdin }, response) => {
      try {
        response.send(HEAD, await stdin.bytes(10));
      } catch (error) {
        codes.push((error as RequestError).code);
        await stdin.read().catch((again: RequestError) => codes.push(again.code));
      }
    };
    const client = await (await start({ responder, requestTimeout: 20 })).connect();
    await client.send(Buffer.concat([head({ keep, stdin: 'abcd' }), record(STDIN, 1, 'ab')]));
    expect((await client.response()).status).toBe(504);
    expect(codes).toEqual(['TIMEOUT', 'TIMEOUT']);
    await client.send(Buffer.concat([stream(STDIN, 1, 'cd'), request({ keep, stdin: 'next' })]));
    expect((await client.response()).body).toBe('next');
  });

  test('bytes that drip in gain it no time', async () => {
    const client = await (await start({ requestTimeout: 60, bodyTimeout: 5000 })).connect();
    await client.send(head({ keep, params: { REQUEST_METHOD: 'POST' } }));
    const dripping = setInterval(() => void client.send(record(STDIN, 1, 'x')), 5);
    expect((await client.response()).status).toBe(504);
    clearInterval(dripping);
  });

  const large = Buffer.alloc(8 * 1024 * 1024);
  const unread: Handler = (incoming, response) => {
    if (incoming.contentLength === undefined) ok(incoming, response);
  };

  test('one that nobody reads is let in again, and the next request is served', async () => {
    const client = await (await start({ responder: unread, requestTimeout: 20, stallTimeout: 60_000 })).connect();
    await client.send(request({ keep, stdin: large }));
    expect((await client.response()).status).toBe(504);
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe('ok');
  });

  test('one that nobody reads is let in again, and without KEEP_CONN the connection ends in the orderly way', async () => {
    const client = await (await start({ responder: unread, requestTimeout: 20, stallTimeout: 60_000 })).connect();
    client.socket.pause();
    await client.send(request({ stdin: large }));
    client.socket.resume();
    expect((await client.response()).status).toBe(504);
    expect(await client.closed).toBe('end');
  });
});

test('it runs for a handler that has returned and not answered', async () => {
  const client = await (await start({ responder: () => {}, requestTimeout: 20 })).connect();
  await client.send(request());
  expect((await client.response()).status).toBe(504);
});

test('it runs for each of the requests of a connection, and makes room for others', async () => {
  const responder: Handler = (incoming, response) => {
    if (incoming.id === 4) ok(incoming, response);
  };
  const client = await (await start({ responder, requestTimeout: 20, maxActiveRequests: 3 })).connect();
  await client.send(Buffer.concat([1, 2, 3].map((id) => request({ id, keep }))));
  for (const id of [1, 2, 3]) expect((await client.response(id)).status).toBe(504);
  await client.send(request({ id: 4, keep }));
  expect((await client.response(4)).body).toBe('ok');
});

test('it does not run for a request that the web server has aborted', async () => {
  const played = calls();
  const running = await start({ responder: played.handler, requestTimeout: 300, abortTimeout: 600 });
  const client = await running.connect();
  await client.send(request({ keep }));
  await played.next();
  await client.send(record(ABORT, 1));
  await client.response();
  expect(client.records.map(({ type }) => type)).toEqual([END]);
  expect(running.log).toEqual([]);
});

test('it runs while the server closes', async () => {
  const responder: Handler = ({ signal }) => once(signal, 'abort').then(() => {});
  const running = await start({ responder, requestTimeout: 100 });
  const client = await running.connect();
  await client.send(request({ keep }));
  await client.sync();
  const closing = running.server.close({ idle: 20 });
  expect((await client.response()).status).toBe(504);
  await closing;
});

test.each([Infinity, 2 ** 31, 1e12])('%p is none', async (requestTimeout) => {
  const played = calls();
  const client = await (await start({ responder: played.handler, requestTimeout, stallTimeout: 40 })).connect();
  await client.send(request());
  const { response } = await played.next();
  await pause(100);
  response.send(HEAD, 'ok');
  expect((await client.response()).body).toBe('ok');
});
