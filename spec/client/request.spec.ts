// What the client sends: records, roles, bodies.

import { once } from 'node:events';
import { createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';

import { AUTHORIZER, FILTER, RESPONDER } from '../../lib/client/index.ts';
import { DATA, PARAMS, STDIN, recordName } from '../../lib/protocol/index.ts';
import { HELLO, clientAndApplication, rejection } from '../support/client-and-application.ts';
import { hex } from '../support/collect-records.ts';
import { temporaryFolder } from '../support/temporary.ts';

const setup = clientAndApplication();
const folder = temporaryFolder();

const payload = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7919) & 0xff));

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('the exact bytes of a small request, in one write', async () => {
  const server = createServer().listen(folder.join('raw.sock'));
  await once(server, 'listening');
  const client = setup.client({ address: `unix:${folder.join('raw.sock')}` });
  const response = rejection(client.request({ params: { A: 'b', C: '' }, stdin: 'hi' }));
  const [socket] = await once(server, 'connection');
  const [chunk] = await once(socket, 'data');
  expect((chunk as Buffer).toString('hex')).toBe(
    hex(`
      01 01 0001 0008 00 00  0001 01 0000000000
      01 04 0001 0007 00 00  01 01 41 62  01 00 43
      01 04 0001 0000 00 00
      01 05 0001 0002 00 00  6869
      01 05 0001 0000 00 00`).toString('hex'),
  );
  socket.destroy();
  expect((await response).code).toBe('CLOSED');
  server.close();
});

test.each(['unix', 'tcp'] as const)(
  'a request over %s arrives as it was given, and the response comes back',
  async (transport) => {
    const application = await setup.application(transport);
    const client = setup.client(application);
    application.serve((request, connection) =>
      connection.answer(request.id, `Status: 201 Created\r\nX-Id: ${request.id}\r\n\r\nhello`, 7),
    );
    const response = await client.request({ params: { REQUEST_METHOD: 'POST' }, stdin: Buffer.from('body') });
    expect(response.status).toBe(201);
    expect(response.statusText).toBe('Created');
    expect(response.headers).toEqual([['X-Id', '1']]);
    expect(await response.text()).toBe('hello');
    expect(await response.ended).toEqual({ appStatus: 7, protocolStatus: 0 });
  },
);

test('PARAMS keep their order, repetitions and bytes', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const params: [string, string][] = [
    ['B', '2'],
    ['A', '1'],
    ['B', ''],
    ['BYTES', '\0\x7f\x80\xff'],
    ['', 'no name'],
    ['__proto__', 'x'],
    ['LONG', 'v'.repeat(128)],
  ];
  const response = client.request({ params });
  const connection = await application.connection();
  const request = await connection.request();
  expect(request.params).toEqual(params);
  connection.answer(request.id, HELLO);
  await response;
});

test('PARAMS that are not latin1 are refused before anything is sent', async () => {
  const application = await setup.application();
  const client = setup.client(application);
  const error = await rejection(client.request({ params: { PATH_INFO: '/日本' } }));
  expect(error.code).toBe('BAD_REQUEST');
  expect(error.message).toMatch(/PATH_INFO.*latin1/);
  expect(client.connections).toBe(0);
});

test('PARAMS of more than one record are cut between pairs', async () => {
  const application = await setup.application();
  const sizes: number[] = [];
  const client = setup.client(application, {
    onRecord: (direction, type, _id, length) => direction === 'sent' && type === PARAMS && sizes.push(length),
  });
  const params = Array.from({ length: 100 }, (_, i): [string, string] => [`HTTP_X_${i}`, 'v'.repeat(1500)]);
  params.push(['HTTP_COOKIE', 'c'.repeat(100_000)]);
  const response = client.request({ params });
  const connection = await application.connection();
  const request = await connection.request();
  expect(request.params).toEqual(params);
  const pair = (i: number): number => `HTTP_X_${i}`.length + 1500 + 5;
  const first = Array.from({ length: 43 }, (_, i) => pair(i)).reduce((a, b) => a + b, 0);
  expect(sizes[0]).toBe(first);
  expect(sizes.at(-1)).toBe(0);
  connection.answer(request.id, HELLO);
  await response;
});

describe('roles', () => {
  test.each([
    ['RESPONDER', RESPONDER, {}, [PARAMS, STDIN]],
    ['AUTHORIZER without STDIN', AUTHORIZER, {}, [PARAMS]],
    ['FILTER', FILTER, { stdin: 'in', data: 'file' }, [PARAMS, STDIN, DATA]],
    ['FILTER with nothing to filter', FILTER, {}, [PARAMS, STDIN, DATA]],
  ])('%s', async (_what, role, bodies, streams) => {
    const application = await setup.application();
    const client = setup.client(application);
    const response = client.request({ role, params: { A: 'b' }, ...bodies });
    const connection = await application.connection();
    const request = await connection.request();
    expect(request.role).toBe(role);
    expect([...request.ended]).toEqual(streams);
    expect([request.stdin.toString(), request.data.toString()]).toEqual([
      'stdin' in bodies ? 'in' : '',
      'data' in bodies ? 'file' : '',
    ]);
    connection.answer(request.id, HELLO);
    expect((await response).status).toBe(200);
  });

  test('an authorizer is sent STDIN where it is given', async () => {
    const application = await setup.application();
    const types: string[] = [];
    const client = setup.client(application, {
      onRecord: (direction, type) => direction === 'sent' && types.push(recordName(type)),
    });
    application.serve((request, connection) => connection.answer(request.id, 'Status: 200\r\nVariable-A: b\r\n\r\n'));
    const response = await client.request({ role: AUTHORIZER, params: {}, stdin: '' });
    expect(response.header('variable-a')).toBe('b');
    expect(types).toEqual(['BEGIN_REQUEST', 'PARAMS', 'STDIN']);
  });
});

describe('bodies', () => {
  const large = payload(300_000);

  test.each<[what: string, body: () => string | Uint8Array | AsyncIterable<Uint8Array | string>, expected: Buffer]>([
    ['text, as UTF-8', () => 'größe', Buffer.from('größe')],
    ['a Buffer', () => large, large],
    [
      'a Uint8Array within a larger one',
      () => new Uint8Array(Buffer.from('xxbodyxx')).subarray(2, 6),
      Buffer.from('body'),
    ],
    ['nothing', () => '', Buffer.alloc(0)],
    ['as long as one record', () => large.subarray(0, 65_528), large.subarray(0, 65_528)],
    ['longer than one record by one byte', () => large.subarray(0, 65_529), large.subarray(0, 65_529)],
    ['a generator', () => inPieces(large, 10_001), large],
    ['a generator of pieces over 65,535 bytes', () => inPieces(large, 200_000), large],
    [
      'a generator with empty pieces',
      () => Readable.from(['a', Buffer.alloc(0), 'b'], { objectMode: true }),
      Buffer.from('ab'),
    ],
    ['a Node stream', () => Readable.from([large.subarray(0, 5), large.subarray(5)]), large],
    [
      'a web stream',
      () => Readable.toWeb(Readable.from([Buffer.from('web')])) as AsyncIterable<Uint8Array>,
      Buffer.from('web'),
    ],
  ])('%s', async (_what, body, expected) => {
    const application = await setup.application();
    const client = setup.client(application);
    application.serve((request, connection) => {
      connection.answer(request.id, Buffer.concat([Buffer.from('A: b\r\n\r\n'), request.stdin]));
    });
    const response = await client.request({ params: {}, stdin: body() });
    expect((await response.bytes()).equals(expected)).toBe(true);
    const again = await client.request({ role: FILTER, params: {}, stdin: body() });
    expect((await again.bytes()).equals(expected)).toBe(true);
  });

  test('DATA follows STDIN, both as streams', async () => {
    const application = await setup.application();
    const types: string[] = [];
    const client = setup.client(application, {
      onRecord: (direction, type) =>
        direction === 'sent' && types.at(-1) !== recordName(type) && types.push(recordName(type)),
    });
    application.serve((request, connection) => {
      connection.answer(request.id, Buffer.concat([Buffer.from('A: b\r\n\r\n'), request.stdin, request.data]));
    });
    const [stdin, data] = [payload(200_000), payload(150_000)];
    const response = await client.request({
      role: FILTER,
      params: {},
      stdin: inPieces(stdin, 9999),
      data: inPieces(data, 70_000),
    });
    expect((await response.bytes()).equals(Buffer.concat([stdin, data]))).toBe(true);
    expect(types).toEqual(['BEGIN_REQUEST', 'PARAMS', 'STDIN', 'DATA']);
  });

  test('an application that does not read is not sent more than the buffers in between hold', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const piece = Buffer.alloc(65_528);
    let taken = 0;
    const stdin = (async function* () {
      for (; taken < 1000; taken++) yield piece;
    })();
    const response = client.request({ params: {}, stdin });
    const connection = await application.connection();
    await connection.head();
    connection.socket.pause();
    application.serve((request, other) => other.answer(request.id, HELLO));
    for (let i = 0; i < 30; i++) await (await client.request({ params: {} })).text();
    expect(taken).toBeLessThan(50);
    connection.socket.resume();
    const request = await connection.request();
    expect(request.stdin).toHaveLength(1000 * piece.length);
    connection.answer(request.id, HELLO);
    expect(await (await response).text()).toBe('hello');
  });

  test('an iterable is told to return when the application goes away while there is no room', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    let returned: (() => void) | undefined;
    const over = new Promise<void>((resolve) => (returned = resolve));
    const stdin = (async function* () {
      try {
        for (;;) yield Buffer.alloc(65_528);
      } finally {
        returned?.();
      }
    })();
    const response = rejection(client.request({ params: {}, stdin }));
    const connection = await application.connection();
    await connection.head();
    connection.socket.pause();
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    connection.destroy();
    await over;
    expect(await response).toMatchObject({ code: 'CLOSED' });
  });

  test('an iterable that throws fails the request, and the application sees it aborted', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const stdin = (async function* () {
      yield Buffer.from('begun');
      throw new Error('disk on fire');
    })();
    const response = rejection(client.request({ params: {}, stdin }));
    const connection = await application.connection();
    const error = await response;
    expect(error).toMatchObject({ code: 'SOURCE_FAILED', cause: new Error('disk on fire') });
    await connection.closed;
  });
});

describe('an answer before the end of STDIN', () => {
  test('is delivered, sending stops, and the connection is not used again', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    let returned = 0;
    const stdin = (async function* () {
      try {
        for (;;) yield Buffer.alloc(1000);
      } finally {
        returned += 1;
      }
    })();
    const promise = client.request({ params: {}, stdin });
    const connection = await application.connection();
    const { id } = await connection.head();
    connection.answer(id, 'Status: 413\r\n\r\ntoo large');
    const response = await promise;
    expect(response.status).toBe(413);
    expect(await response.text()).toBe('too large');
    await response.ended;
    await connection.closed;
    expect(returned).toBe(1);
    expect(client.connections).toBe(0);
  });

  test('is delivered while the iterable has nothing to give', async () => {
    const application = await setup.application();
    const client = setup.client(application);
    const stdin = new PassThrough();
    stdin.write('begun');
    const promise = client.request({ params: {}, stdin });
    const connection = await application.connection();
    const { id } = await connection.head();
    connection.answer(id, 'Status: 413\r\n\r\ntoo large');
    expect(await (await promise).text()).toBe('too large');
    stdin.write('more');
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    expect(stdin.destroyed).toBe(false); // it is the caller's
  });

  test('is delivered even where the application closes without having read STDIN', async () => {
    const application = await setup.application();
    const client = setup.client(application, { keepConn: false });
    for (let i = 0; i < 20; i++) {
      const promise = client.request({ params: {}, stdin: Buffer.alloc(8 * 1024 * 1024) });
      const connection = await application.connection();
      const { id } = await connection.head();
      connection.socket.pause();
      connection.answer(id, 'Status: 413\r\n\r\ntoo large');
      connection.socket.destroySoon();
      const response = await promise;
      expect(response.status).toBe(413);
      expect(await response.text()).toBe('too large');
      expect(await response.ended).toEqual({ appStatus: 0, protocolStatus: 0 });
    }
  });

  test('on a multiplexed connection, which goes on being used', async () => {
    const application = await setup.application();
    const client = setup.client(application, { maxConnections: 1, maxRequestsPerConnection: 2 });
    const stdin = new PassThrough();
    stdin.write('begun');
    const promise = client.request({ params: {}, stdin });
    const connection = await application.connection();
    const { id } = await connection.head();
    connection.answer(id, HELLO);
    await (
      await promise
    ).ended;
    const again = client.request({ params: {}, stdin: 'all' });
    const request = await connection.request();
    connection.answer(request.id, HELLO);
    expect(await (await again).text()).toBe('hello');
    expect(application.connections).toHaveLength(1);
  });
});

test('keepConn is told to the application', async () => {
  const application = await setup.application();
  application.serve((request, connection) => connection.answer(request.id, `A: b\r\n\r\n${request.keepConn}`));
  for (const keepConn of [true, false]) {
    const response = await setup.client(application, { keepConn }).request({ params: {} });
    expect(await response.text()).toBe(String(keepConn));
  }
});

test('an observer is told of every record both ways', async () => {
  const application = await setup.application();
  const seen: string[] = [];
  const client = setup.client(application, {
    onRecord: (direction, type, id, length) => seen.push(`${direction} ${recordName(type)} ${id} ${length}`),
  });
  application.serve((request, connection) =>
    connection.answer(request.id, Buffer.concat([Buffer.from('A: b\r\n\r\n'), payload(70_000)])),
  );
  await (await client.request({ params: { A: 'b' }, stdin: payload(70_000) })).bytes();
  expect(seen).toEqual([
    'sent BEGIN_REQUEST 1 8',
    'sent PARAMS 1 4',
    'sent PARAMS 1 0',
    'sent STDIN 1 65528',
    'sent STDIN 1 4472',
    'sent STDIN 1 0',
    'received STDOUT 1 65528',
    'received STDOUT 1 4480',
    'received STDOUT 1 0',
    'received END_REQUEST 1 8',
  ]);
});

test.each([
  ['maxConnections', 0],
  ['maxConnections', Number.NaN],
  ['headTimeout', -1],
  ['window', '5' as unknown as number],
  ['maxQueue', -1],
])('the option %s cannot be %p', (name, value) => {
  expect(() => setup.client({ address: 'unix:/nowhere' }, { [name]: value })).toThrow(RangeError);
});
