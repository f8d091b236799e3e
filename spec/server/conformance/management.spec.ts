// WIRE 20 to 24: management records (FastCGI 1.0, 4).

import {
  getValues,
  GET_VALUES,
  GET_VALUES_RESULT,
  head,
  record,
  request,
  STDIN,
  UNKNOWN_TYPE,
} from '../../support/raw-records.ts';
import { begin, pairs, PARAMS } from '../../support/raw-records.ts';
import type { RawClient, RawRecord } from '../../support/raw-client.ts';
import { servers } from '../../support/servers.ts';

const { start, calls } = servers();
const keep = true;
const management = (client: RawClient): RawRecord[] => client.records.filter(({ id }) => id === 0);

async function answer(client: RawClient, bytes: Buffer): Promise<string> {
  const count = management(client).length;
  await client.send(bytes);
  await client.until(() => management(client).length > count);
  return management(client).at(-1)?.content.toString('latin1') as string;
}

test('20 (4.1) GET_VALUES is answered before, between and in the middle of requests, without the handler', async () => {
  const played = calls();
  const client = await (await start({ responder: played.handler })).connect();
  const ask = (): Promise<string> => answer(client, getValues('FCGI_MPXS_CONNS'));
  const yes = '\x0f\x01FCGI_MPXS_CONNS1';
  expect(await ask()).toBe(yes);
  await client.send(Buffer.concat([begin(1, { keep }), record(PARAMS, 1, pairs({ REQUEST_METHOD: 'POST' }))]));
  expect(await ask()).toBe(yes);
  expect(played.count).toBe(0);
  await client.send(Buffer.concat([record(PARAMS, 1), record(STDIN, 1, 'ab')]));
  const { request: incoming, response, finish } = await played.next();
  expect(await ask()).toBe(yes);
  await client.send(Buffer.concat([record(STDIN, 1, 'cd'), record(STDIN, 1)]));
  response.start('Status: 200 OK\r\n\r\n');
  expect(await ask()).toBe(yes);
  response.write(await incoming.stdin.bytes(100));
  response.end();
  finish();
  expect((await client.response()).body).toBe('abcd');
  expect(await ask()).toBe(yes);
  expect(played.count).toBe(1);
});

describe('21 (4.1) the answer', () => {
  test('has what was asked for and is understood, in one record with id 0', async () => {
    const client = await (await start({ maxConnections: 7, maxActiveRequests: 1234 })).connect();
    expect(await answer(client, getValues('FCGI_MAX_REQS', 'FCGI_NO_SUCH', 'FCGI_MAX_REQS'))).toBe(
      '\x0d\x04FCGI_MAX_REQS1234',
    );
    expect(await answer(client, getValues('FCGI_MAX_CONNS'))).toBe('\x0e\x01FCGI_MAX_CONNS7');
    expect(await answer(client, getValues())).toBe('');
    expect(await answer(client, getValues('', 'fcgi_max_conns'))).toBe('');
    expect(client.records.map(({ type, id }) => [type, id])).toEqual(Array(4).fill([GET_VALUES_RESULT, 0]));
  });

  test('values in the query are ignored', async () => {
    const client = await (await start({ maxActiveRequests: 5 })).connect();
    expect(await answer(client, record(GET_VALUES, 0, pairs({ FCGI_MAX_REQS: '99' })))).toBe('\x0d\x01FCGI_MAX_REQS5');
  });

  test('tells the truth about multiplexing', async () => {
    const client = await (await start({ multiplex: false })).connect();
    expect(await answer(client, getValues('FCGI_MPXS_CONNS'))).toBe('\x0f\x01FCGI_MPXS_CONNS0');
    await client.send(Buffer.concat([begin(1, { keep }), begin(2, { keep })]));
    expect((await client.response(2)).protocolStatus).toBe(1);
  });
});

test('22 (4.1) the connection stays open behind it', async () => {
  const client = await (await start()).connect();
  for (let i = 0; i < 100; i++) await answer(client, getValues('FCGI_MAX_CONNS'));
  await client.send(request({ keep }));
  expect((await client.response()).status).toBe(200);
  expect(client.ending).toBe(undefined);
});

describe('23 (4.2) a management record of a type that is not understood', () => {
  test('is answered with UNKNOWN_TYPE: each of 0, 10 and 12 to 255; its content is skipped', async () => {
    const client = await (await start()).connect();
    const types = [0, GET_VALUES_RESULT, ...Array.from({ length: 244 }, (_, i) => i + 12)];
    for (const type of types) await client.send(record(type, 0, request({ id: 3 }), type));
    await client.until(() => client.records.length >= types.length);
    expect(client.records.map(({ type, id, content }) => [type, id, content.toString('hex')])).toEqual(
      types.map((type) => [UNKNOWN_TYPE, 0, `${type.toString(16).padStart(2, '0')}00000000000000`]),
    );
  });

  test('an UNKNOWN_TYPE is not answered', async () => {
    const client = await (await start()).connect();
    await client.send(record(UNKNOWN_TYPE, 0, '\x63'.padEnd(8, '\0')));
    await client.sync();
    expect(client.records).toEqual([]);
  });

  test('in the middle of a request it does not disturb it', async () => {
    const client = await (await start()).connect();
    await client.send(
      Buffer.concat([
        head({ keep, stdin: 'abcd' }),
        record(STDIN, 1, 'ab'),
        record(200, 0, 'x'),
        record(STDIN, 1, 'cd'),
      ]),
    );
    await client.send(record(STDIN, 1));
    expect((await client.response()).body).toBe('POST / abcd');
  });
});

test('24 GET_VALUES with a request id is ignored', async () => {
  const client = await (await start()).connect();
  const asked = record(GET_VALUES, 1, pairs({ FCGI_MAX_CONNS: '' }));
  await client.send(Buffer.concat([asked, begin(1, { keep }), asked, request({ keep }).subarray(16)]));
  expect((await client.response()).status).toBe(200);
  await client.sync();
  expect(management(client)).toEqual([]);
});

test('24 GET_VALUES with a request id is ignored whatever its length', async () => {
  const client = await (await start({ responder: calls().handler })).connect();
  const long = Buffer.alloc(65_535, 1);
  await client.send(Buffer.concat([record(GET_VALUES, 7, long), getValues('FCGI_MPXS_CONNS')]));
  await client.until(() => management(client).length > 0);
  expect(client.records.map(({ type, id }) => [type, id])).toEqual([[GET_VALUES_RESULT, 0]]);
});
