// What a responder does with input that is wrong or odd (RELIABILITY 1b): each case whole, byte by byte, in random chunks.

import { DELIVERIES, type RawClient, type RawResponse } from '../../support/raw-client.ts';
import {
  ABORT,
  begin,
  BEGIN,
  DATA,
  END,
  getValues,
  GET_VALUES,
  GET_VALUES_RESULT,
  head,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
  UNKNOWN_TYPE,
} from '../../support/raw-records.ts';
import { echo, HEAD, servers, type Running } from '../../support/servers.ts';
import type { Handler, ServerOptions } from '../../../lib/server/index.ts';

interface Seen {
  client: RawClient;
  running: Running;
  /** What the handler was called for: REQUEST_URI, in order. */
  called: string[];
}

interface Case {
  title: string;
  input: Buffer;
  options?: ServerOptions;
  /** What has to be true of it. A case without `closes` leaves the connection in sync: it is used once more. */
  check: (seen: Seen) => void | Promise<void>;
  closes?: true;
}

const join = (...parts: Buffer[]): Buffer => Buffer.concat(parts);
const keep = true;
const good = (id = 1): Buffer => request({ id, keep, params: { REQUEST_URI: `/good${id}` } });

/** Bytes that look like a whole request: nobody must take them for one. */
const FAKE = request({ id: 9, keep, params: { REQUEST_URI: '/fake' } });
const withVersion = (version: number, bytes: Buffer): Buffer => join(Buffer.from([version]), bytes.subarray(1));

async function answered({ client }: Seen, id = 1): Promise<RawResponse> {
  return client.response(id);
}

const goesOn = async (seen: Seen): Promise<void> => {
  expect((await answered(seen)).body).toBe('GET /good1 ');
  expect(seen.called).toEqual(['/good1']);
};

const isNotCalled = ({ called, client }: Seen): void => {
  expect(called).toEqual([]);
  expect(client.records).toEqual([]);
};

/** Nothing is answered to what came before the good request. */
const ignored = async (seen: Seen): Promise<void> => {
  await goesOn(seen);
  expect(seen.client.records.filter(({ id, type }) => id !== 1 && type !== GET_VALUES_RESULT)).toEqual([]);
};

const endStatus =
  (protocolStatus: number, id = 1) =>
  async (seen: Seen): Promise<void> => {
    const { records } = await answered(seen, id);
    expect(records.map(({ type }) => type)).toEqual([END]);
    expect(records[0]?.content).toEqual(Buffer.from([0, 0, 0, 0, protocolStatus, 0, 0, 0]));
    expect(seen.called).toEqual([]);
  };

const status =
  (code: number) =>
  async (seen: Seen): Promise<void> => {
    const response = await answered(seen);
    expect(response).toMatchObject({ status: code, protocolStatus: 0 });
    expect(seen.called).toEqual([]);
  };

const body =
  (text: string) =>
  async (seen: Seen): Promise<void> => {
    expect((await answered(seen)).body).toBe(text);
  };

const values = (...hex: string[]): ((seen: Seen) => Promise<void>) =>
  async function ({ client }: Seen): Promise<void> {
    await client.until(() => client.records.filter(({ id }) => id === 0).length >= hex.length);
    const results = client.records.filter(({ id }) => id === 0).map(({ content }) => content.toString('latin1'));
    expect(results.slice(0, hex.length)).toEqual(hex);
  };

const manyParams: [string, string][] = Array.from({ length: 4 }, (_, i) => [`HTTP_X${i}`, 'v'.repeat(50_000)]);

const CASES: Case[] = [
  { title: 'version 0: closed', input: withVersion(0, good()), check: isNotCalled, closes: true },
  { title: 'version 2: closed', input: withVersion(2, good()), check: isNotCalled, closes: true },
  { title: 'HTTP: closed', input: Buffer.from('GET / HTTP/1.1\r\n\r\n'), check: isNotCalled, closes: true },
  {
    title: 'unknown types with id 0: UNKNOWN_TYPE, content skipped',
    input: join(record(99, 0, FAKE, 255), record(0, 0, FAKE), record(255, 0), good()),
    check: async (seen) => {
      await goesOn(seen);
      const unknown = seen.client.records.filter(({ type }) => type === UNKNOWN_TYPE);
      expect(unknown.map(({ id, content }) => [id, content.toString('hex')])).toEqual([
        [0, '6300000000000000'],
        [0, '0000000000000000'],
        [0, 'ff00000000000000'],
      ]);
    },
  },
  { title: 'unknown type, inactive id: ignored', input: join(record(99, 5, FAKE, 7), good()), check: ignored },
  {
    title: 'unknown type, active id: skipped',
    input: join(begin(1, { keep }), record(99, 1, FAKE, 255), good().subarray(16)),
    check: ignored,
  },
  { title: 'role 0: UNKNOWN_ROLE, kept', input: request({ role: 0, keep }), check: endStatus(3) },
  { title: 'role 7: UNKNOWN_ROLE, kept', input: request({ role: 7, keep }), check: endStatus(3) },
  { title: 'role 7 without KEEP_CONN: closed', input: request({ role: 7 }), check: endStatus(3), closes: true },
  { title: 'authorizer without a handler: UNKNOWN_ROLE', input: request({ role: 2, keep }), check: endStatus(3) },
  { title: 'filter without a handler: UNKNOWN_ROLE', input: request({ role: 3, keep }), check: endStatus(3) },
  { title: 'BEGIN with id 0: closed', input: join(begin(0), good()), check: isNotCalled, closes: true },
  { title: 'PARAMS with id 0: closed', input: join(record(PARAMS, 0, 'x'), good()), check: isNotCalled, closes: true },
  { title: 'STDIN with id 0: closed', input: join(record(STDIN, 0), good()), check: isNotCalled, closes: true },
  { title: 'ABORT with id 0: closed', input: join(record(ABORT, 0), good()), check: isNotCalled, closes: true },
  {
    title: 'BEGIN with 7 bytes: closed',
    input: join(record(BEGIN, 1, '\0\x01\x01\0\0\0\0'), good()),
    check: isNotCalled,
    closes: true,
  },
  {
    title: 'BEGIN with 9 bytes: closed',
    input: join(record(BEGIN, 1, '\0\x01\x01\0\0\0\0\0\0'), good()),
    check: isNotCalled,
    closes: true,
  },
  {
    title: 'BEGIN for an active id: closed, its request never handled',
    input: join(begin(1, { keep }), record(PARAMS, 1, pairs({ A: '1' })), begin(1, { keep }), good()),
    check: isNotCalled,
    closes: true,
  },
  {
    title: 'BEGIN for another id while one is active: both go on',
    input: join(begin(2, { keep }), good(), good(2).subarray(16)),
    check: async (seen) => {
      expect((await answered(seen, 1)).body).toBe('GET /good1 ');
      expect((await answered(seen, 2)).body).toBe('GET /good2 ');
    },
  },
  {
    title: 'BEGIN for another id without multiplexing: CANT_MPX_CONN for it, the first goes on',
    options: { multiplex: false },
    input: join(begin(1, { keep }), good(2), good().subarray(16)),
    check: async (seen) => {
      const { records } = await answered(seen, 2);
      expect(records.map(({ type, content }) => [type, content[4]])).toEqual([[END, 1]]);
      await goesOn(seen);
    },
  },
  {
    title: 'PARAMS, STDIN, ABORT and DATA for an inactive id: ignored',
    input: join(
      stream(PARAMS, 5, pairs({ A: '1' })),
      stream(STDIN, 5, FAKE, 255),
      record(ABORT, 5, FAKE),
      stream(DATA, 5, FAKE),
      good(),
    ),
    check: ignored,
  },
  {
    title: 'a pair that is cut at the end of PARAMS: 400',
    input: join(begin(1, { keep }), stream(PARAMS, 1, pairs({ A: '1' }).subarray(0, 3)), stream(STDIN, 1, '')),
    check: status(400),
  },
  {
    title: 'a pair longer than all of PARAMS: 400',
    input: join(begin(1, { keep }), stream(PARAMS, 1, '\x01\x7fAbc'), stream(STDIN, 1, '')),
    check: status(400),
  },
  ...['\x7f\xff\xff\xff', '\xff\xff\xff\xff', '\x80\x10\x00\x01'].map((length): Case => ({
    title: `a pair that announces ${Buffer.from(length, 'latin1').toString('hex')} bytes: refused`,
    input: join(begin(1, { keep }), stream(PARAMS, 1, `\x01${length}A`), stream(STDIN, 1, '')),
    check: status(length.startsWith('\x7f') ? 400 : 431), // 7f is a length of one byte
  })),
  {
    title: 'a pair split over records: whole',
    input: join(
      begin(1, { keep }),
      ...[pairs({ REQUEST_METHOD: 'GET', REQUEST_URI: '/good1' })].flatMap((all) => [
        record(PARAMS, 1, all.subarray(0, 5)),
        record(PARAMS, 1, all.subarray(5)),
      ]),
      record(PARAMS, 1),
      stream(STDIN, 1, ''),
    ),
    check: goesOn,
  },
  {
    title: 'a PARAMS record for each byte: whole',
    input: join(
      begin(1, { keep }),
      ...Array.from(pairs({ REQUEST_METHOD: 'GET', REQUEST_URI: '/good1' }), (byte) =>
        record(PARAMS, 1, Buffer.from([byte]), 3),
      ),
      record(PARAMS, 1),
      stream(STDIN, 1, ''),
    ),
    check: goesOn,
  },
  {
    title: 'the four-byte form of short lengths: read',
    input: join(
      begin(1, { keep }),
      stream(PARAMS, 1, '\x80\0\0\x0b\x80\0\0\x06REQUEST_URI/good1\x0e\x80\0\0\x03REQUEST_METHODGET'),
      stream(STDIN, 1, ''),
    ),
    check: goesOn,
  },
  {
    title: 'padding of 255 everywhere: skipped',
    input: request({ keep, params: { REQUEST_URI: '/good1' }, padding: 255 }),
    check: goesOn,
  },
  {
    title: 'STDIN before the end of PARAMS: closed',
    input: join(begin(1, { keep }), record(PARAMS, 1, pairs({ A: '1' })), stream(STDIN, 1, 'x'), record(PARAMS, 1)),
    check: isNotCalled,
    closes: true,
  },
  {
    title: 'PARAMS after their end: ignored',
    input: join(head({ keep, params: { REQUEST_URI: '/good1' } }), stream(PARAMS, 1, pairs({ REQUEST_URI: '/evil' }))),
    check: async (seen) => {
      await seen.client.send(stream(STDIN, 1, ''));
      await goesOn(seen);
    },
  },
  {
    title: 'DATA for a responder: ignored',
    input: join(head({ keep, params: { REQUEST_URI: '/good1' } }), stream(DATA, 1, FAKE), stream(STDIN, 1, '')),
    check: goesOn,
  },
  {
    title: 'ABORT before the end of PARAMS: END_REQUEST, handler never called',
    input: join(begin(1, { keep }), record(PARAMS, 1, pairs({ A: '1' })), record(ABORT, 1), stream(PARAMS, 1, '')),
    check: async (seen) => {
      const { records, protocolStatus } = await answered(seen);
      expect([records.length, protocolStatus]).toEqual([1, 0]);
      expect(seen.called).toEqual([]);
    },
  },
  {
    title: 'ABORT while STDIN comes: exactly one END_REQUEST and no output',
    input: join(head({ keep, stdin: 'xxxx' }), record(STDIN, 1, 'xx'), record(ABORT, 1), stream(STDIN, 1, 'xx')),
    check: async (seen) => {
      const { records, protocolStatus } = await answered(seen);
      expect(records.map(({ type }) => type)).toEqual([END]);
      expect(protocolStatus).toBe(0);
    },
  },
  {
    title: 'GET_VALUES: the three values, none for unknown names, none for none',
    input: join(
      getValues('FCGI_MAX_CONNS', 'FCGI_MAX_REQS', 'FCGI_MPXS_CONNS'),
      getValues('FCGI_OTHER'),
      record(GET_VALUES, 0),
    ),
    options: { maxConnections: 12, maxActiveRequests: 34 },
    check: values('\x0e\x02FCGI_MAX_CONNS12\x0d\x02FCGI_MAX_REQS34\x0f\x01FCGI_MPXS_CONNS1', '', ''),
  },
  {
    title: 'GET_VALUES for names of Object.prototype: nothing',
    input: getValues('constructor', '__proto__', 'hasOwnProperty', 'toString'),
    check: values(''),
  },
  {
    title: 'GET_VALUES with a pair that is cut: closed',
    input: join(record(GET_VALUES, 0, '\x0eFCGI'), good()),
    check: isNotCalled,
    closes: true,
  },
  {
    title: 'STDIN never ended: answered when the handler answers',
    options: { responder: (_request, response) => response.send(HEAD, 'early') },
    input: request({ keep, stdin: null }),
    check: body('early'),
  },
  {
    title: 'CONTENT_LENGTH 10, 5 bytes: an error for the reader',
    input: request({ keep, stdin: '12345', params: { CONTENT_LENGTH: '10' } }),
    check: body('POST / BODY_TRUNCATED'),
  },
  {
    title: 'CONTENT_LENGTH 5, 10 bytes: 5 of them',
    input: request({ keep, stdin: '1234567890', params: { CONTENT_LENGTH: '5' } }),
    check: body('POST / 12345'),
  },
  {
    title: 'PARAMS of 200 KiB: read',
    input: request({ keep, params: [['REQUEST_URI', '/good1'], ...manyParams] }),
    check: goesOn,
  },
  {
    title: 'PARAMS over their bound: 431',
    options: { maxParamsBytes: 1000 },
    input: request({ keep, params: { HTTP_X: 'v'.repeat(1000) } }),
    check: status(431),
  },
  {
    title: 'empty PARAMS: a request without variables',
    input: join(begin(1, { keep }), record(PARAMS, 1), record(STDIN, 1)),
    check: body('undefined undefined '),
  },
  {
    title: 'a record of 65,535 bytes and 255 of padding for nobody: skipped whole',
    input: join(
      record(STDIN, 7, join(...Array.from({ length: 900 }, () => FAKE)).subarray(0, 65_535), 255),
      record(77, 0, Buffer.alloc(65_535, 1), 255),
      good(),
    ),
    check: goesOn,
  },
];

const LONG = 5000; // byte by byte, these take too long for what they show

describe.each(DELIVERIES)('input %s', (delivery) => {
  const { start } = servers();
  const sent = CASES.filter(({ input }) => delivery !== 'byte by byte' || input.length < LONG);
  const titled = (cases: Case[]): [string, Case][] => cases.map((one) => [one.title, one]);

  async function play({ input, options }: Case): Promise<Seen> {
    const called: string[] = [];
    const responder: Handler = (incoming, response) => {
      called.push(incoming.params.get('REQUEST_URI') ?? '');
      return echo(incoming, response);
    };
    const running = await start({ responder, ...options });
    const client = await running.connect();
    await client.send(input, delivery);
    return { client, running, called };
  }

  /** Nothing of the case is left, and other connections are served. */
  async function expectServed({ server, connect }: Running): Promise<void> {
    const another = await connect();
    await another.send(request());
    expect((await another.response()).status).toBe(200);
    expect(server.requests).toBe(0);
  }

  test.each(titled(sent.filter(({ closes }) => closes)))('%s', async (_title, one) => {
    const seen = await play(one);
    expect(await seen.client.closed).toMatch(/^(end|reset)$/);
    await one.check(seen);
    await expectServed(seen.running);
  });

  test.each(titled(sent.filter(({ closes }) => !closes)))('%s', async (_title, one) => {
    const seen = await play(one);
    const { client, running } = seen;
    await one.check(seen);
    await client.send(request({ id: 200, keep, params: { REQUEST_URI: '/next' } }));
    expect((await client.response(200)).status).toBe(200);
    expect(client.midRecord).toBe(false);
    await expectServed(running);
  });
});

describe('a full request and then FIN', () => {
  const { start, calls } = servers();

  test('means abort by default', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request({ keep }));
    const call = await played.next();
    client.end();
    await new Promise((resolve) => call.request.signal.addEventListener('abort', resolve));
    expect(call.request.signal.reason).toMatchObject({ code: 'ABORTED' });
    await client.closed;
    expect(client.records).toEqual([]);
  });

  test("is answered with halfClose: 'finish'", async () => {
    const played = calls();
    const running = await start({ responder: played.handler, halfClose: 'finish' });
    const client = await running.connect();
    await client.send(request({ keep, stdin: 'abc' }));
    const call = await played.next();
    client.end();
    expect((await call.request.stdin.bytes(10)).toString()).toBe('abc');
    call.response.send(HEAD, 'late');
    expect((await client.response()).body).toBe('late');
    await client.closed;
    expect(call.request.aborted).toBe(false);
  });

  test("with halfClose: 'finish' a body that is not whole is an error, and PARAMS that are not end the connection", async () => {
    const running = await start({ halfClose: 'finish' });
    const client = await running.connect();
    await client.send(join(head({ keep, stdin: '12345' }), record(STDIN, 1, '12'), begin(2, { keep })));
    client.end();
    expect((await client.response()).body).toBe('POST / BODY_TRUNCATED');
    await client.closed;
    expect(running.server.requests).toBe(0);
  });
});
