// WIRE 06 to 14: records (FastCGI 1.0, 3.3; 8; appendix A).

import { DELIVERIES, type RawClient } from '../../support/raw-client.ts';
import {
  ABORT,
  begin,
  DATA,
  getValues,
  GET_VALUES_RESULT,
  head,
  PARAMS,
  record,
  request,
  STDERR,
  STDIN,
  STDOUT,
  stream,
  END,
  UNKNOWN_TYPE,
} from '../../support/raw-records.ts';
import { HEAD, ok, servers } from '../../support/servers.ts';
import type { Handler } from '../../../lib/server/index.ts';

const { start, calls } = servers();
const keep = true;
const ids = (client: RawClient): number[] => client.records.map(({ id }) => id);

describe('06 (3.3) a header of 8 bytes, wherever the stream is cut', () => {
  test.each(DELIVERIES)('many records %s', async (delivery) => {
    const client = await (await start()).connect();
    const two = [1, 2].map((id) => request({ id, keep, stdin: `body ${id}` }));
    await client.send(Buffer.concat(two), delivery);
    expect((await client.response(1)).body).toBe('POST / body 1');
    expect((await client.response(2)).body).toBe('POST / body 2');
  });

  test('cut once at every byte', async () => {
    const bytes = request({ keep, stdin: 'abc', padding: 3 });
    const client = await (await start()).connect();
    for (let at = 1; at < bytes.length; at++) {
      await client.send(bytes.subarray(0, at));
      await new Promise(setImmediate);
      await client.send(bytes.subarray(at));
      expect((await client.response()).body).toBe('POST / abc');
    }
  });
});

describe('07 (3.3) content of 0 to 65,535 bytes, padding of 0 to 255', () => {
  test('every padding length, behind empty records too', async () => {
    const client = await (await start()).connect();
    for (let padding = 0; padding <= 255; padding++) {
      await client.send(request({ keep, stdin: 'abc', padding }));
      expect((await client.response()).body).toBe('POST / abc');
    }
  });

  test('65,535 bytes with 255 of padding', async () => {
    const client = await (await start()).connect();
    const body = 'x'.repeat(65_535);
    await client.send(request({ keep, stdin: body, padding: 255 }));
    expect((await client.response()).body).toBe(`POST / ${body}`);
  });

  test('records inside of padding are not taken for records', async () => {
    const client = await (await start()).connect();
    const fake = request({ id: 3 });
    expect(fake.length).toBeLessThan(255);
    const padded = record(STDIN, 1, '', fake.length);
    fake.copy(padded, 8);
    await client.send(Buffer.concat([head({ keep }), padded]));
    expect((await client.response()).body).toBe('GET / ');
    await client.sync();
    expect(ids(client).includes(3)).toBe(false);
  });
});

describe('08 (3.3, 8) a version that is not 1', () => {
  test.each([0, 2, 255])('version %i: the connection is closed and one line logged', async (version) => {
    const running = await start();
    const client = await running.connect();
    const bytes = request();
    bytes[0] = version;
    await client.send(bytes);
    await client.closed;
    expect(running.log.filter(({ level }) => level === 'warn').map(({ fields }) => fields.code)).toEqual([
      'BAD_VERSION',
    ]);
    const other = await running.connect();
    await other.send(request());
    expect((await other.response()).status).toBe(200);
  });

  test('a reserved byte that is not 0 is ignored', async () => {
    const client = await (await start()).connect();
    const bytes = request({ keep });
    for (let at = 0; at < bytes.length; at += 8 + bytes.readUInt16BE(at + 4)) bytes[at + 7] = 0xff;
    await client.send(bytes);
    expect((await client.response()).status).toBe(200);
  });
});

describe('09 (3.3) records as they are sent', () => {
  const everything: Handler = async (incoming, response) => {
    if (incoming.id === 2) {
      response.send(HEAD, 'text');
      return;
    }
    if (incoming.id === 3) {
      response.send(HEAD, Buffer.from('bytes'));
      return;
    }
    response.stderr('a message');
    response.start(HEAD);
    for (const size of [1, 7, 8, 65_528, 65_535, 200_000]) {
      if (!response.write(Buffer.alloc(size, 'x'))) await response.drained();
    }
    response.end();
  };

  async function exchange(align: boolean): Promise<RawClient> {
    for (let i = 0; i < 50; i++) Buffer.allocUnsafe(1000).fill(0xa5); // what a pool may hold
    const client = await (await start({ responder: everything, align, maxRequestsPerConnection: 3 })).connect();
    await client.send(
      Buffer.concat([
        request({ id: 1, keep }),
        request({ id: 2, keep }),
        request({ id: 3, keep }),
        request({ id: 4, keep, role: 9 }),
        getValues('FCGI_MAX_CONNS'),
        record(99, 0),
      ]),
    );
    for (const id of [1, 2, 3, 4]) await client.response(id);
    await client.until(() => client.records.filter(({ id }) => id === 0).length === 2);
    return client;
  }

  test('are at most 65,535 bytes long and have no padding', async () => {
    const { records } = await exchange(false);
    expect(new Set(records.map(({ type }) => type))).toEqual(
      new Set([END, STDOUT, STDERR, GET_VALUES_RESULT, UNKNOWN_TYPE]),
    );
    expect(Math.max(...records.map(({ content }) => content.length))).toBeGreaterThan(65_000);
    expect(records.filter(({ padding }) => padding.length > 0)).toEqual([]);
  });

  test('with `align` streams are padded to multiples of 8, with zeros', async () => {
    const { records } = await exchange(true);
    const streams = records.filter(({ type }) => type === STDOUT || type === STDERR);
    expect(streams.filter(({ content, padding }) => (content.length + padding.length) % 8 !== 0)).toEqual([]);
    expect(streams.some(({ padding }) => padding.length > 0)).toBe(true);
    expect(Buffer.concat(records.map(({ padding }) => padding)).every((byte) => byte === 0)).toBe(true);
  });

  test.each([false, true])('all reserved bytes are zero (align: %s)', async (align) => {
    const { records } = await exchange(align);
    expect(records.filter(({ reserved }) => reserved !== 0)).toEqual([]);
    const ends = records.filter(({ type }) => type === END);
    expect(ends.every(({ content }) => content.subarray(5).equals(Buffer.alloc(3)))).toBe(true);
    const unknown = records.filter(({ type }) => type === UNKNOWN_TYPE);
    expect(unknown.map(({ content }) => content.toString('hex'))).toEqual(['6300000000000000']);
  });
});

test('10 (3.3) records of requests that answer at the same time do not run into one another', async () => {
  const responder: Handler = async (incoming, response) => {
    const piece = Buffer.alloc(30_000 + incoming.id, String(incoming.id));
    response.start(HEAD);
    for (let i = 0; i < 20; i++) {
      if (!response.write(piece)) await response.drained();
      await new Promise(setImmediate);
    }
    response.end();
  };
  const client = await (await start({ responder })).connect();
  const all = [1, 2, 3, 4];
  await client.send(Buffer.concat(all.map((id) => request({ id, keep }))));
  for (const id of all) {
    const { body } = await client.response(id);
    expect(body).toBe(String(id).repeat((30_000 + id) * 20));
  }
  const order = ids(client);
  expect(order.filter((id, i) => id !== order[i + 1]).length).toBeGreaterThan(all.length); // they did alternate
});

describe('11 (3.3) an id is active from BEGIN_REQUEST until END_REQUEST is sent', () => {
  test('records of other ids are ignored, without a reply', async () => {
    const client = await (await start()).connect();
    await client.send(
      Buffer.concat([
        stream(PARAMS, 1, 'x'),
        stream(STDIN, 1, 'x'),
        stream(DATA, 1, 'x'),
        record(ABORT, 1),
        request({ keep }),
      ]),
    );
    await client.response();
    const before = client.records.length;
    await client.send(Buffer.concat([stream(PARAMS, 1, 'x'), stream(STDIN, 1, 'x'), record(ABORT, 1)]));
    await client.sync();
    expect(ids(client).slice(before)).toEqual([]);
    expect(before).toBe(3);
  });

  test('an id can be begun again as soon as its END_REQUEST is sent', async () => {
    const client = await (await start({ responder: ok })).connect();
    await client.send(Buffer.concat([request({ keep, stdin: null })]));
    await client.response();
    await client.send(Buffer.concat([stream(STDIN, 1, 'left over'), request({ keep })])); // of the first one
    expect((await client.response()).body).toBe('ok');
  });
});

describe('12 (3.3) request ids', () => {
  test.each([1, 255, 256, 65_535])('%i works', async (id) => {
    const client = await (await start()).connect();
    await client.send(request({ id, keep, stdin: 'abc' }));
    expect((await client.response(id)).body).toBe('POST / abc');
  });

  test.each([begin(0), record(PARAMS, 0, 'x'), record(STDIN, 0, 'x'), record(STDOUT, 0, 'x'), record(DATA, 0)])(
    '0 in an application record closes the connection (%#)',
    async (bytes) => {
      const running = await start();
      const client = await running.connect();
      await client.send(bytes);
      await client.closed;
      expect(running.log.map(({ fields }) => fields.code)).toContain('BAD_ID');
    },
  );

  test('begun again while active: the connection is closed, and the handler that runs is told', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(head({ keep }));
    const { request: incoming } = await played.next();
    const aborted = new Promise((resolve) => incoming.signal.addEventListener('abort', resolve));
    await client.send(request({ keep, params: { REQUEST_URI: '/second' } }));
    await client.closed;
    await aborted;
    expect(incoming.params.get('REQUEST_URI')).toBe('/');
    expect(played.count).toBe(1);
    expect(client.records).toEqual([]);
  });

  test('used a thousand times, one after the other', async () => {
    const client = await (await start({ responder: ok })).connect();
    const one = request({ keep });
    for (let i = 0; i < 1000; i++) {
      await client.send(one);
      await client.response();
    }
    expect(client.records.length).toBe(3000);
  });
});

test.each([END, STDOUT, STDERR, GET_VALUES_RESULT, UNKNOWN_TYPE])(
  '13 (appendix A) type %i, which only an application sends, is skipped for an id',
  async (type) => {
    const client = await (await start()).connect();
    const odd = [record(type, 1, 'x'.repeat(8)), record(type, 1), record(type, 7, request({ id: 3 }))];
    await client.send(Buffer.concat([begin(1, { keep }), ...odd, request({ keep }).subarray(16)]));
    expect((await client.response()).body).toBe('GET / ');
    await client.sync();
    expect(ids(client).filter((id) => id !== 1)).toEqual([]);
  },
);

test.each([0, 12, 255])('14 type %i for an id is ignored, active or not', async (type) => {
  const client = await (await start()).connect();
  const odd = (id: number): Buffer => record(type, id, request({ id: 3 }), 255);
  await client.send(Buffer.concat([odd(1), begin(1, { keep }), odd(1), odd(2), request({ keep }).subarray(16)]));
  expect((await client.response()).body).toBe('GET / ');
  await client.sync();
  expect(ids(client).filter((id) => id !== 1)).toEqual([]);
});
