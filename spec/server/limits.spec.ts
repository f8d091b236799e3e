// Bounds on connections, requests and what they hold.

import { DEFAULTS, Server, type Handler, type ServerOptions } from '../../lib/server/index.ts';
import { acceptedSocket, paused } from '../support/accepted-socket.ts';
import { RawClient } from '../support/raw-client.ts';
import { startWithSocket } from '../support/perl-socket.ts';
import { begin, getValues, head, pairs, PARAMS, record, request, STDIN } from '../support/raw-records.ts';
import { HEAD, ok, servers } from '../support/servers.ts';
import { temporaryFolder } from '../support/temporary.ts';

const { start, calls } = servers();
const folder = temporaryFolder();
const keep = true;

describe('options', () => {
  test.each(Object.keys(DEFAULTS))('%s must be a positive number', (name) => {
    for (const value of [0, -1, NaN, '5', null]) {
      expect(() => new Server({ [name]: value } as ServerOptions)).toThrow(RangeError);
    }
    expect(() => new Server({ [name]: 1 } as ServerOptions)).not.toThrow();
  });

  test('have defaults, and `undefined` is one of them', () => {
    expect(new Server({ maxActiveRequests: undefined } as unknown as ServerOptions).settings).toMatchObject({
      maxActiveRequests: 10_000,
      maxRequestsPerConnection: 100,
      headersTimeout: 10_000,
      multiplex: true,
      overload: 'response',
      halfClose: 'abort',
      align: false,
    });
  });

  test('without multiplexing there is one request on a connection', () => {
    const { settings } = new Server({ multiplex: false, maxRequestsPerConnection: 50 });
    expect(settings.maxRequestsPerConnection).toBe(1);
  });

  test('bounds without end are told to web servers as a number', async () => {
    const client = await (await start({ maxActiveRequests: Infinity, maxConnections: 1e9 })).connect();
    await client.send(getValues('FCGI_MAX_REQS', 'FCGI_MAX_CONNS'));
    const { content } = await client.record(10, 0);
    expect(content.toString('latin1').slice(2)).toBe('FCGI_MAX_CONNS1000000000\x0d\x0aFCGI_MAX_REQS2147483647');
  });
});

describe('maxConnections', () => {
  test('a further connection is closed at once, and one of the open ones makes room for it', async () => {
    const running = await start({ responder: ok, maxConnections: 2 });
    const [one, two] = [await running.connect(), await running.connect()];
    await one.send(request({ keep }));
    await two.send(request({ keep }));
    await one.response();
    await two.response();
    const third = await running.connect();
    await third.closed;
    expect(third.received).toBe(0);
    expect(running.log.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn connection refused: maxConnections are open',
    ]);
    one.end();
    await one.closed;
    const fourth = await running.connect();
    await fourth.send(request({ keep }));
    expect((await fourth.response()).body).toBe('ok');
    await two.send(request({ keep }));
    expect((await two.response()).body).toBe('ok');
  });

  test('is by default less where the process may open fewer files', async () => {
    const path = folder.join('files.sock');
    const limit = 'exec "sh", "-c", q(ulimit -n 128; exec "$@"), "sh", @ARGV[1 .. $#ARGV];';
    const started = startWithSocket({ kind: 'unix', path, prelude: limit });
    try {
      await started.says(/ready/);
      const client = await RawClient.connect(path);
      await client.send(getValues('FCGI_MAX_CONNS'));
      const { content } = await client.record(10, 0);
      expect(content.toString('latin1')).toBe('\x0e\x02FCGI_MAX_CONNS64');
      client.destroy();
    } finally {
      await started.stop();
    }
  });
});

describe('what a web server asks for without taking it', () => {
  const flood = async (bytes: Buffer, options: ServerOptions, before?: Buffer): Promise<void> => {
    const running = await start({ outputBuffer: 16 * 1024, ...options });
    const accepted = acceptedSocket();
    const client = await running.connect();
    const socket = await accepted;
    if (before) await client.send(before);
    client.socket.pause();
    const sent = client.send(bytes);
    await paused(socket);
    expect(socket.writableLength).toBeLessThan(4 * 1024 * 1024);
    client.socket.resume();
    await sent;
    await client.send(request({ id: 9, keep }));
    expect((await client.response(9)).status).toBe(200);
  };

  test('GET_VALUES', async () => {
    await expect(flood(Buffer.concat(Array(50_000).fill(getValues('FCGI_MAX_CONNS'))), {})).resolves.toBe(undefined);
  });

  test('GET_VALUES while a request is active', async () => {
    const many = Buffer.concat(Array(50_000).fill(getValues('FCGI_MAX_CONNS')));
    await expect(flood(many, {}, begin(1, { keep }))).resolves.toBe(undefined);
  });

  test('unknown management records', async () => {
    await expect(flood(Buffer.concat(Array(100_000).fill(record(99, 0))), {})).resolves.toBe(undefined);
  });

  test('roles that there are not', async () => {
    await expect(flood(Buffer.concat(Array(100_000).fill(begin(1, { keep, role: 9 }))), {})).resolves.toBe(undefined);
  });

  test('answers', async () => {
    const responder: Handler = (_request, response) => response.send(HEAD, 'x'.repeat(1000));
    const many = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => request({ id: i + 10, keep })));
    await expect(flood(many, { responder, maxRequestsPerConnection: 2000 })).resolves.toBe(undefined);
  });

  test('answers, while another request is active', async () => {
    const responder: Handler = (_request, response) => response.send(HEAD, 'x'.repeat(1000));
    const many = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => request({ id: i + 10, keep })));
    await expect(flood(many, { responder, maxRequestsPerConnection: 2000 }, begin(5, { keep }))).resolves.toBe(
      undefined,
    );
  });
});

test('`served` counts what was handed to a handler, and nothing that was refused', async () => {
  const played = calls();
  const running = await start({ responder: played.handler, maxActiveRequests: 2 });
  const client = await running.connect();
  expect(running.server.served).toBe(0);
  await client.send(
    Buffer.concat([
      request({ id: 1, keep, role: 9 }), // UNKNOWN_ROLE
      request({ id: 2, keep, params: { CONTENT_LENGTH: 'x' } }), // 400
      begin(3, { keep }),
      record(2, 3), // aborted in its PARAMS
    ]),
  );
  await client.response(3);
  await client.send(Buffer.concat([4, 5, 6].map((id) => request({ id, keep })))); // the last one: 503
  expect((await client.response(6)).status).toBe(503);
  expect(running.server.served).toBe(2);
  for (let i = 0; i < 2; i++) (await played.next()).response.send(HEAD, '');
  await client.response(5);
  expect([running.server.served, running.server.requests]).toEqual([2, 0]);
});

describe('what a request may hold', () => {
  test('of several connections each has its own bound, all together maxActiveRequests', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, maxActiveRequests: 3, maxRequestsPerConnection: 2 });
    const [one, two] = [await running.connect(), await running.connect()];
    await one.send(Buffer.concat([1, 2, 3].map((id) => request({ id, keep }))));
    expect((await one.response(3)).protocolStatus).toBe(2);
    await two.send(Buffer.concat([1, 2].map((id) => request({ id, keep }))));
    expect((await two.response(2)).status).toBe(503);
    expect(running.server.requests).toBe(3);
    await two.send(record(2, 1));
    for (let i = 0; i < 3; i++) (await played.next()).finish();
    await two.response(1);
    await two.send(request({ keep }));
    (await played.next()).response.send(HEAD, 'room');
    expect((await two.response(1)).body).toBe('room');
  });

  test('a request that is aborted in its PARAMS, or whose connection is lost, counts no more', async () => {
    const running = await start({ responder: ok, maxActiveRequests: 1 });
    const client = await running.connect();
    await client.send(Buffer.concat([begin(1, { keep }), record(2, 1), begin(1, { keep })]));
    await client.response();
    client.destroy();
    const other = await running.connect();
    await other.sync();
    await other.send(request({ keep }));
    expect((await other.response()).body).toBe('ok');
  });

  test('a head of exactly maxParamsBytes is read', async () => {
    const params = pairs({ REQUEST_URI: '/', X: 'x'.repeat(500) });
    const client = await (await start({ maxParamsBytes: params.length })).connect();
    await client.send(
      Buffer.concat([begin(1, { keep }), record(PARAMS, 1, params), record(PARAMS, 1), record(STDIN, 1)]),
    );
    expect((await client.response()).status).toBe(200);
    await client.send(head({ keep, params: { X: 'x'.repeat(600) } }));
    expect((await client.response()).status).toBe(431);
  });
});
