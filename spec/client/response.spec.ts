// What the client makes of an application's answer: head, body, STDERR, END_REQUEST, and their faults.

import { once } from 'node:events';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { ClientError, type ClientOptions, type ClientResponse } from '../../lib/client/index.ts';
import { STDERR, STDOUT, encodeEndRequest, encodeStreamEnd } from '../../lib/protocol/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { record } from '../support/collect-records.ts';
import { answer, output, type ScriptedConnection } from '../support/scripted-application.ts';

const setup = clientAndApplication();

const stderr = (id: number, text: string | Buffer): Buffer => record(STDERR, id, text);
const end = (id: number, appStatus = 0, protocolStatus = 0): Buffer => encodeEndRequest(id, appStatus, protocolStatus);

/** A request, and the application's end of it, which has read it. */
async function exchange(
  options?: Partial<ClientOptions>,
  params: Record<string, string> = {},
): Promise<{ response: Promise<ClientResponse>; connection: ScriptedConnection; id: number }> {
  const application = await setup.application();
  const response = setup.client(application, options).request({ params });
  response.catch(() => {}); // looked at later
  const connection = await application.connection();
  const { id } = await connection.request();
  return { response, connection, id };
}

describe('the head', () => {
  test('status, phrase and fields, in order and as sent', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, 'Status: 404 Nicht da\r\nX-B: \xe4\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\r\n');
    const given = await response;
    expect([given.status, given.statusText]).toEqual([404, 'Nicht da']);
    expect(given.headers).toEqual([
      ['X-B', 'ä'],
      ['Set-Cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    expect(given.header('SET-COOKIE')).toBe('a=1');
    expect(given.header('x-none')).toBeUndefined();
    expect(given.header('__proto__')).toBeUndefined();
  });

  test('arrives in pieces of a byte, between records on STDERR', async () => {
    const { response, connection, id } = await exchange();
    for (const byte of 'Status: 201\r\nA: b\r\n\r\nbody') connection.send(output(id, byte), stderr(id, '.'));
    connection.send(end(id));
    expect((await response).status).toBe(201);
    expect(await (await response).text()).toBe('body');
    expect((await response).stderr).toBe('.'.repeat(25));
  });

  test('is there before the body is', async () => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, 'A: b\r\n\r\n'));
    const { body } = await response;
    const first = once(body, 'data');
    connection.send(output(id, 'later'));
    expect(await first).toEqual([Buffer.from('later')]);
  });

  test('a local redirect is shown as one', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, 'Location: /elsewhere?x=1\r\n\r\n');
    expect(await response).toMatchObject({ status: 302, localRedirect: '/elsewhere?x=1' });
  });

  test.each([
    ['no CGI head', 'HTTP/1.1 200 OK\r\n\r\n', { cause: { code: 'BAD_HEAD' } }],
    ['too long a head', `A: ${'b'.repeat(2000)}`, { cause: { code: 'HEAD_TOO_LARGE' } }],
  ])('%s fails with BAD_RESPONSE, and the connection is closed', async (_what, head, expected) => {
    const { response, connection, id } = await exchange({ maxHeadBytes: 1000 });
    connection.send(stderr(id, 'oh no'), output(id, head));
    expect(await rejection(response)).toMatchObject({ code: 'BAD_RESPONSE', stderr: 'oh no', ...expected });
    await connection.closed;
  });
});

describe('the body', () => {
  test.each([0, 1, 65_527, 65_528, 65_535, 65_536, 3_000_000])('of %i bytes', async (length) => {
    const { response, connection, id } = await exchange();
    const body = Buffer.from(Array.from({ length }, (_, i) => (i * 31) & 0xff));
    connection.answer(id, Buffer.concat([Buffer.from(`Content-Length: ${length}\r\n\r\n`), body]));
    expect((await (await response).bytes()).equals(body)).toBe(true);
  });

  test('as bytes, text and JSON, again and again', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, Buffer.from('Content-Type: application/json\r\n\r\n{"ä":[1]}'));
    const given = await response;
    expect(await given.text()).toBe('{"ä":[1]}');
    expect(await given.json()).toEqual({ ä: [1] });
    expect(await given.bytes()).toEqual(Buffer.from('{"ä":[1]}'));
  });

  test('that is no JSON', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, HELLO);
    expect((await rejection((await response).json())).name).toBe('SyntaxError');
  });

  test('as a stream, once', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, HELLO);
    const pieces: Buffer[] = [];
    for await (const piece of (await response).body) pieces.push(piece as Buffer);
    expect(Buffer.concat(pieces).toString()).toBe('hello');
    expect((await rejection((await response).bytes())).message).toMatch(/read as a stream already/);
  });

  test('through a pipeline', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, Buffer.concat([Buffer.from('A: b\r\n\r\n'), Buffer.alloc(1_000_000, 'x')]));
    let length = 0;
    const sink = new Writable({
      highWaterMark: 1000,
      write(chunk: Buffer, _encoding, done) {
        length += chunk.length;
        setImmediate(done);
      },
    });
    await pipeline((await response).body, sink);
    expect(length).toBe(1_000_000);
  });

  test('over maxBodyBytes is not collected', async () => {
    const { response, connection, id } = await exchange({ maxBodyBytes: 10 });
    connection.answer(id, 'A: b\r\n\r\n12345678901');
    expect(await rejection((await response).bytes())).toMatchObject({ code: 'TOO_LARGE' });
  });

  test('what the application sends on after a head with no room for it', async () => {
    const { response, connection, id } = await exchange({}, { REQUEST_METHOD: 'HEAD' });
    connection.answer(id, 'Content-Length: 100\r\n\r\n');
    expect(await (await response).text()).toBe('');
  });

  test.each([204, 304])('of status %i may be missing whatever Content-Length says', async (status) => {
    const { response, connection, id } = await exchange();
    connection.answer(id, `Status: ${status}\r\nContent-Length: 100\r\n\r\n`);
    expect(await (await response).text()).toBe('');
  });
});

describe('a slow reader', () => {
  /** Send pieces for as long as they are taken; returns how many bytes were. */
  function flood(connection: ScriptedConnection, id: number, total: number): { taken: number; done: Promise<void> } {
    const piece = output(id, Buffer.alloc(65_528));
    const state = { taken: 0, done: Promise.resolve() };
    state.done = (async () => {
      while (state.taken < total) {
        await new Promise((resolve) => connection.socket.write(piece, resolve));
        state.taken += 65_528;
      }
      connection.send(end(id));
    })();
    return state;
  }

  test.each([
    ['alone on its connection', {}, 1.5],
    ['alone on its connection, with a window of 2 MiB', { window: 2 * 1024 * 1024 }, 4],
    ['on a multiplexed connection', { maxRequestsPerConnection: 10 }, 2.5],
  ] as const)('%s stops the application, not the process memory', async (_what, options, mebibytes) => {
    const { response, connection, id } = await exchange(options);
    connection.send(output(id, 'A: b\r\n\r\n'));
    const total = 65_528 * 400; // 25 MiB
    const flow = flood(connection, id, total);
    const { body } = await response;
    const other = await exchange(); // something else goes on meanwhile, for many turns
    other.connection.answer(other.id, HELLO);
    for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    expect(flow.taken).toBeLessThan(mebibytes * 1024 * 1024);
    let length = 0;
    for await (const piece of body) length += (piece as Buffer).length;
    expect(length).toBe(total);
    await flow.done;
    expect(await (await response).ended).toEqual({ appStatus: 0, protocolStatus: 0 });
  });

  test('does not keep the connection once everything has come', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1, window: 1000 });
    application.serve((request, connection) => {
      connection.answer(request.id, `A: b\r\n\r\n${'x'.repeat(50_000)}`);
    });
    const responses = [await client.request({ params: {} }), await client.request({ params: {} })];
    for (const response of responses) expect(await response.text()).toHaveLength(50_000);
    expect(application.connections).toHaveLength(1);
  });

  test('of tiny records does not collect more than its window in overhead', async () => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, 'A: b\r\n\r\n'));
    const tiny = Buffer.concat(Array.from({ length: 7000 }, () => output(id, 'x')));
    let taken = 0;
    const sending = (async () => {
      for (; taken < 30; taken++) await new Promise((resolve) => connection.socket.write(tiny, resolve));
      connection.send(end(id));
    })();
    const { body } = await response;
    for (let i = 0; i < 200; i++) await new Promise(setImmediate);
    expect(taken).toBeLessThan(9); // the kernel holds three or four
    let length = 0;
    for await (const piece of body) length += (piece as Buffer).length;
    expect(length).toBe(210_000);
    await sending;
  });
});

describe('a body that is cut', () => {
  test.each<[what: string, cut: (connection: ScriptedConnection, id: number) => void, head: string]>([
    ['by the end of the connection', (connection) => connection.end(), 'A: b'],
    ['by a reset in the middle of a record', (connection) => connection.destroy(), 'A: b'],
    ['by END_REQUEST short of its Content-Length', (connection, id) => connection.send(end(id)), 'Content-Length: 100'],
  ])('%s fails after what came', async (_what, cut, head) => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, `${head}\r\n\r\nbegun`));
    const { body } = await response;
    const pieces: Buffer[] = [];
    const reading = (async () => {
      for await (const piece of body) {
        pieces.push(piece as Buffer);
        if (pieces.length === 1) cut(connection, id);
      }
    })();
    expect(await rejection(reading)).toMatchObject({ name: 'ClientError', code: 'TRUNCATED' });
    expect(Buffer.concat(pieces).toString()).toBe('begun');
  });

  test('fails whoever looks later, too', async () => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, 'A: b\r\n\r\nbegun'));
    const given = await response;
    connection.end();
    await rejection(given.ended);
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const piece of given.body) pieces.push(String(piece));
    })();
    expect(await rejection(reading)).toMatchObject({ code: 'TRUNCATED' });
    expect(pieces).toEqual(['begun']);
  });

  test('fails bytes, text and json', async () => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, 'A: b\r\n\r\n{}'));
    const given = await response;
    connection.end();
    expect(await rejection(given.json())).toMatchObject({ code: 'TRUNCATED' });
    expect(await rejection(given.text())).toMatchObject({ code: 'TRUNCATED' });
    expect(await rejection(given.ended)).toMatchObject({ code: 'TRUNCATED' });
  });

  test('short of its Content-Length still has its END_REQUEST', async () => {
    const { response, connection, id } = await exchange();
    connection.send(answer(id, 'Content-Length: 6\r\n\r\nhello', 3));
    expect(await (await response).ended).toEqual({ appStatus: 3, protocolStatus: 0 });
    expect((await rejection((await response).text())).message).toMatch(/1 bytes shorter than its Content-Length/);
  });

  test('or is longer than its Content-Length', async () => {
    const { response, connection, id } = await exchange();
    connection.send(output(id, 'Content-Length: 5\r\n\r\nhel'), output(id, 'lo and more'));
    const pieces: string[] = [];
    const { body } = await response;
    const reading = (async () => {
      for await (const piece of body) pieces.push(String(piece));
    })();
    expect(await rejection(reading)).toMatchObject({ code: 'BAD_RESPONSE' });
    expect(pieces.join('')).toBe('hello');
    await connection.closed;
  });
});

describe('no response at all', () => {
  test.each([
    [1, 'CANT_MPX_CONN'],
    [2, 'OVERLOADED'],
    [3, 'UNKNOWN_ROLE'],
  ])('protocolStatus %i without output fails with %s', async (protocolStatus, code) => {
    const { response, connection, id } = await exchange();
    connection.send(stderr(id, 'why'), end(id, 1, protocolStatus));
    const error = await rejection(response);
    expect(error).toBeInstanceOf(ClientError);
    expect(error).toMatchObject({ code, stderr: 'why' });
  });

  test('protocolStatus after a response is told by ended', async () => {
    const { response, connection, id } = await exchange();
    connection.answer(id, HELLO, 9, 2);
    expect(await (await response).text()).toBe('hello');
    expect(await (await response).ended).toEqual({ appStatus: 9, protocolStatus: 2 });
  });

  test.each([
    ['without any output', '', 'the response ended without any output (appStatus 5)'],
    ['within its head', 'Status: 200\r\n', 'the response ended within its head (appStatus 5)'],
  ])('END_REQUEST %s fails with BAD_RESPONSE', async (_what, text, message) => {
    const { response, connection, id } = await exchange();
    connection.answer(id, text, 5);
    expect(await rejection(response)).toMatchObject({ code: 'BAD_RESPONSE', message });
  });

  test('a connection that ends before the head fails with CLOSED', async () => {
    const { response, connection, id } = await exchange();
    connection.send(stderr(id, 'segfault'), output(id, 'Status: 2'));
    connection.end();
    expect(await rejection(response)).toMatchObject({ code: 'CLOSED', stderr: 'segfault' });
  });

  test.each([
    ['another version', Buffer.from([2, 6, 0, 1, 0, 0, 0, 0])],
    ['END_REQUEST of 4 bytes', record(3, 1, '\0\0\0\0')],
    ['an HTTP response', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('%s instead of FastCGI fails with BAD_RESPONSE', async (_what, bytes) => {
    const { response, connection } = await exchange();
    connection.send(bytes);
    expect(await rejection(response)).toMatchObject({ code: 'BAD_RESPONSE', cause: { name: 'ProtocolError' } });
    await connection.closed;
  });
});

describe('STDERR', () => {
  test('is collected, decoded as UTF-8 across records', async () => {
    const { response, connection, id } = await exchange();
    const bytes = Buffer.from('schön 💥');
    for (const byte of bytes) connection.send(stderr(id, Buffer.from([byte])));
    connection.answer(id, HELLO);
    await (
      await response
    ).ended;
    expect((await response).stderr).toBe('schön 💥');
  });

  test('is bounded; the first of it is kept', async () => {
    const { response, connection, id } = await exchange({ maxStderrBytes: 10 });
    connection.send(stderr(id, '1234567'), stderr(id, '89abcdef'), stderr(id, 'x'));
    connection.answer(id, HELLO);
    await (
      await response
    ).ended;
    expect((await response).stderr).toBe('123456789a');
  });
});

test('records that are no answer to anything are skipped', async () => {
  const { response, connection, id } = await exchange();
  connection.send(
    record(STDOUT, 77, 'of nobody'),
    end(77),
    record(STDOUT, 0, 'x'),
    record(99, id, 'of the future', 5),
    record(1, id, 'of a web server'),
    record(10, 0, ''),
    record(11, 0, '\x63\0\0\0\0\0\0\0'),
    output(id, 'A: b\r\n\r\nhello'),
    encodeStreamEnd(STDERR, id),
    end(id),
  );
  expect(await (await response).text()).toBe('hello');
});
