// What hostile input costs in memory (RELIABILITY R12): measured in a process of its own, after garbage collection.

import type { RawClient } from '../support/raw-client.ts';
import { ABORT, begin, DATA, getValues, head, PARAMS, pairs, record, request, STDIN } from '../support/raw-records.ts';
import { responderProcess } from '../support/responder-process.ts';

const { connect, stats } = responderProcess({ headersTimeout: 60_000 });
const MiB = 1024 * 1024;
const keep = true;

/** The process as a whole: it also shows what has come and gone, and how late the collector was. */
const RESIDENT = 48 * MiB;

/** Sends what makes code and buffers be there, so that they are not taken for what the input costs. */
async function warmUp(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const client = await connect();
    await client.send(Buffer.concat(Array.from({ length: 3000 }, (_, id) => record(STDIN, id + 1, 'x'.repeat(1000)))));
    await client.send(Buffer.concat(Array.from({ length: 300 }, (_, id) => begin(id + 1, { keep }))));
    await client.send(Buffer.concat(Array.from({ length: 100 }, (_, id) => record(ABORT, id + 1))));
    await client.response(1);
    for (let n = 0; n < 200; n++) {
      await client.send(request({ keep, stdin: 'x'.repeat(5000), params: { X: 'x'.repeat(3000) } }));
      await client.response();
    }
    client.destroy();
    await stats();
  }
}

interface Cost {
  used: number;
  rss: number;
  client: RawClient;
}

/** What there is more than before, while the connection is still open; `used` is what is really held. */
async function costOf(attack: (client: RawClient) => Promise<void>): Promise<Cost> {
  await warmUp();
  const before = await stats();
  const client = await connect();
  await attack(client);
  const after = await stats();
  return { used: after.used - before.used, rss: after.rss - before.rss, client };
}

async function expectServed(client: RawClient, id: number): Promise<void> {
  await client.send(request({ id, keep }));
  expect((await client.response(id)).body).toBe('GET / ');
}

test('65,535 BEGIN_REQUESTs cost little, and the connection is still served', async () => {
  const { used, rss, client } = await costOf(async (one) => {
    await one.send(Buffer.concat(Array.from({ length: 65_535 }, (_, i) => begin(i + 1, { keep }))));
    await one.sync();
  });
  expect(used).toBeLessThan(MiB);
  expect(rss).toBeLessThan(RESIDENT);
  expect(client.records.filter(({ id }) => id > 0).length).toBe(65_535 - 100); // OVERLOADED
  await client.send(record(ABORT, 1));
  await client.response(1);
  await expectServed(client, 1);
});

test('64 MiB of PARAMS that do not end cost no more than their bound', async () => {
  const { used, rss, client } = await costOf(async (one) => {
    await one.send(begin(1, { keep }));
    const piece = Buffer.concat(Array.from({ length: 16 }, () => record(PARAMS, 1, Buffer.alloc(65_535, 'x'))));
    for (let i = 0; i < 64; i++) await one.send(piece);
    await one.sync();
  });
  expect(used).toBeLessThan(2 * MiB);
  expect(rss).toBeLessThan(RESIDENT);
  await client.send(Buffer.concat([record(PARAMS, 1), record(STDIN, 1)]));
  expect((await client.response()).status).toBe(431);
});

test('PARAMS of a byte a record, up to just below their bound, cost about that', async () => {
  const { used, rss } = await costOf(async (one) => {
    await one.send(begin(1, { keep }));
    const all = pairs(Array.from({ length: 900 }, (_, i) => [`HTTP_${i}`, 'x'.repeat(1000)] as const));
    const records = Buffer.alloc(all.length * 9);
    for (let i = 0; i < all.length; i++) record(PARAMS, 1, all.subarray(i, i + 1)).copy(records, i * 9);
    await one.send(records);
    await one.sync();
  });
  expect(used).toBeLessThan(2 * MiB);
  expect(rss).toBeLessThan(RESIDENT);
});

test('a million records for nobody cost nothing', async () => {
  const { used, rss, client } = await costOf(async (one) => {
    const kinds = [record(STDIN, 7), record(PARAMS, 8, 'abc'), record(DATA, 9), record(ABORT, 10), record(99, 11, 'x')];
    const some = Buffer.concat(Array.from({ length: 10_000 }, (_, i) => kinds[i % kinds.length] as Buffer));
    for (let i = 0; i < 100; i++) await one.send(some);
    await one.sync();
  });
  expect(used).toBeLessThan(MiB);
  expect(rss).toBeLessThan(RESIDENT);
  await expectServed(client, 1);
});

test('100,000 GET_VALUES whose answers nobody takes cost no more than the output buffers', async () => {
  const { used, rss, client } = await costOf(async (one) => {
    one.socket.pause();
    const some = Buffer.concat(Array.from({ length: 1000 }, () => getValues('FCGI_MAX_CONNS', 'FCGI_MAX_REQS')));
    void one.send(Buffer.concat(Array.from({ length: 50 }, (_, i) => begin(i + 1, { keep }))));
    for (let i = 0; i < 100; i++) void one.send(some);
  });
  expect(used).toBeLessThan(2 * MiB);
  expect(rss).toBeLessThan(RESIDENT);
  client.socket.resume();
  await client.until(() => client.records.length === 100_000);
  await expectServed(client, 99);
});

test('32 MiB of STDIN for a request that is answered already cost nothing', async () => {
  const { used, rss, client } = await costOf(async (one) => {
    await one.send(head({ stdin: 'x'.repeat(32 * MiB) })); // more than the handler wants
    await one.response();
    const piece = Buffer.concat(Array.from({ length: 16 }, () => record(STDIN, 1, Buffer.alloc(65_535, 'x'))));
    for (let i = 0; i < 32; i++) await one.send(piece);
  });
  expect(used).toBeLessThan(2 * MiB);
  expect(rss).toBeLessThan(RESIDENT);
  expect(client.ending).toBe('end');
});

test('30,000 requests on a kept connection leave nothing behind', async () => {
  const { used } = await costOf(async (one) => {
    const fifty = Buffer.concat(Array.from({ length: 50 }, (_, i) => request({ id: i + 1, keep })));
    for (let i = 0; i < 600; i++) {
      await one.send(fifty);
      for (let id = 1; id <= 50; id++) await one.response(id);
    }
  });
  expect(used).toBeLessThan(MiB);
});

test('1000 connections that stop in the middle of PARAMS cost less than 12 KiB each', async () => {
  await warmUp();
  const before = await stats();
  const bytes = head({ keep, params: { X: 'x'.repeat(500) } });
  for (let i = 0; i < 1000; i++) await (await connect()).send(bytes.subarray(0, 300));
  const after = await stats();
  expect(after.connections - before.connections).toBe(1000);
  expect((after.rss - before.rss) / 1000).toBeLessThan(12 * 1024);
});
