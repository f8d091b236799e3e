// WIRE 47 and 50 (48 is in spec/server/fuzz.spec.ts, 49 in the specs with real web servers).

import {
  ABORT,
  begin,
  END,
  getValues,
  GET_VALUES_RESULT,
  head,
  pairs,
  PARAMS,
  record,
  request,
  STDIN,
  stream,
} from '../../support/raw-records.ts';
import { HEAD, servers } from '../../support/servers.ts';

const { start, calls } = servers();
const keep = true;

describe('47 floods and silence', () => {
  test('BEGIN_REQUESTs beyond the bound are ended at once; those within it are still served', async () => {
    const running = await start({ maxRequestsPerConnection: 5 });
    const client = await running.connect();
    await client.send(Buffer.concat(Array.from({ length: 1000 }, (_, i) => begin(i + 1, { keep }))));
    await client.sync();
    expect(client.records.filter(({ type }) => type === END).length).toBe(995);
    expect(running.server.requests).toBe(5);
    for (let id = 1; id <= 5; id++) {
      await client.send(request({ id, keep }).subarray(16));
      expect((await client.response(id)).status).toBe(200);
    }
    expect(running.server.requests).toBe(0);
  });

  test('BEGIN and ABORT without end leave nothing behind', async () => {
    const running = await start();
    const client = await running.connect();
    for (let i = 0; i < 100; i++) {
      const all = Array.from({ length: 50 }, (_, n) => Buffer.concat([begin(n + 1, { keep }), record(ABORT, n + 1)]));
      await client.send(Buffer.concat(all));
    }
    await client.sync();
    expect(client.records.filter(({ type }) => type === END).length).toBe(5000);
    expect(running.server.requests).toBe(0);
  });

  test('each kind of silence has its deadline: head, PARAMS, body, a kept connection', async () => {
    const short = { headersTimeout: 30, bodyTimeout: 30, idleTimeout: 30 };
    const running = await start(short);
    const [silent, params] = [await running.connect(), await running.connect()];
    const [body, kept] = [await running.connect(), await running.connect()];
    await params.send(Buffer.concat([begin(1, { keep }), record(PARAMS, 1, pairs({ A: 'b' }))]));
    await body.send(head({ keep, stdin: 'abc' }));
    await kept.send(request({ keep }));
    expect((await kept.response()).status).toBe(200);
    expect((await body.response()).body).toBe('POST / BODY_TIMEOUT');
    await Promise.all([silent, params, body, kept].map((client) => client.closed));
    await running.quiet();
    expect(running.server.requests).toBe(0);
  });
});

test('50 nothing with id 0 is sent that nobody asked for', async () => {
  const played = calls();
  const running = await start({
    responder: played.handler,
    maxRequestsPerConnection: 3,
    maxParamsBytes: 2000,
    abortTimeout: 20,
  });
  const client = await running.connect();
  await client.send(Buffer.concat([request({ id: 1, keep }), head({ id: 2, keep, stdin: 'abc' }), begin(3, { keep })]));
  const [first, second] = [await played.next(), await played.next()];
  await client.send(
    Buffer.concat([
      begin(4, { keep }), // one too many
      begin(5, { keep, role: 9 }),
      record(PARAMS, 3, 'x'.repeat(3000)),
      record(PARAMS, 3),
      stream(STDIN, 9, 'x'),
      record(99, 1, 'x'),
      record(ABORT, 2),
    ]),
  );
  await client.sync();
  first.response.stderr('oh');
  first.response.send(HEAD, 'ok');
  second.finish();
  for (const id of [1, 2, 3, 4, 5]) await client.response(id);
  expect(client.records.filter(({ id }) => id === 0)).toEqual([]);
  await client.send(getValues());
  expect((await client.record(GET_VALUES_RESULT, 0)).content.length).toBe(0);
  expect(client.records.filter(({ id }) => id === 0).length).toBe(1);
});
