// WIRE 45 and 46: several requests on one connection (FastCGI 1.0, 3.3; appendix B.4).

import { readdirSync, readlinkSync } from 'node:fs';
import { acceptedSocket, paused } from '../../support/accepted-socket.ts';
import { randomNumbers, turn } from '../../support/raw-client.ts';
import {
  getValues,
  head,
  pairs,
  PARAMS,
  begin,
  record,
  request,
  STDIN,
  stream,
  END,
  GET_VALUES_RESULT,
  UNKNOWN_TYPE,
} from '../../support/raw-records.ts';
import { HEAD, servers } from '../../support/servers.ts';

const { start, calls } = servers();
const keep = true;
const MiB = 1024 * 1024;

describe('45 (appendix B.4) interleaved requests', () => {
  test('are answered in whatever order their handlers end', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(
      Buffer.concat([
        begin(1, { keep }),
        begin(2, { keep }),
        record(PARAMS, 2, pairs({ REQUEST_URI: '/two' })),
        record(PARAMS, 1, pairs({ REQUEST_URI: '/one' })),
        record(PARAMS, 2),
        record(STDIN, 2, 'tw'),
        record(PARAMS, 1),
        record(STDIN, 1, 'one'),
        record(STDIN, 2, 'o'),
        record(STDIN, 2),
        record(STDIN, 1),
      ]),
    );
    const [two, one] = [await played.next(), await played.next()];
    for (const { request: incoming, response } of [one, two]) {
      const body = (await incoming.stdin.bytes(10)).toString();
      response.send(HEAD, `${incoming.params.get('REQUEST_URI')} ${body}`);
    }
    expect((await client.response(1)).body).toBe('/one one');
    expect((await client.response(2)).body).toBe('/two two');
  });

  test.each([1, 2, 3, 4, 5])('a hundred ids, record by record, in random chunks (seed %i)', async (seed) => {
    const random = randomNumbers(seed);
    const below = (n: number): number => Math.floor(random() * n);
    const ids = Array.from({ length: 100 }, (_, i) => (i === 0 ? 65_535 : i * 7));
    const bodies = new Map(ids.map((id) => [id, `${id}:`.repeat(below(400))]));
    const queues = ids.map((id) => {
      const stdin = bodies.get(id) as string;
      const params = pairs({ REQUEST_METHOD: 'POST', REQUEST_URI: `/${id}` });
      const cut = below(params.length);
      const records = [begin(id, { keep }), record(PARAMS, id, params.subarray(0, cut + 1), below(9))];
      if (cut + 1 < params.length) records.push(record(PARAMS, id, params.subarray(cut + 1)));
      records.push(record(PARAMS, id));
      for (let at = 0; at < stdin.length;) {
        const size = 1 + below(300);
        records.push(record(STDIN, id, stdin.slice(at, at + size), below(9)));
        at += size;
      }
      return [...records, record(STDIN, id)];
    });
    const mixed: Buffer[] = [];
    while (queues.length > 0) {
      const at = below(queues.length);
      const next = queues[at]?.shift();
      if (next) mixed.push(next);
      else queues.splice(at, 1);
    }
    const input = Buffer.concat(mixed);
    const client = await (await start()).connect();
    for (let at = 0; at < input.length;) {
      const size = 1 + below(3000);
      await client.send(input.subarray(at, at + size));
      await turn();
      at += size;
    }
    for (const id of ids) expect((await client.response(id)).body).toBe(`POST /${id} ${bodies.get(id)}`);
  });
});

test('45 what was answered before a record breaks the protocol is sent before the connection is closed', async () => {
  const client = await (await start()).connect();
  await client.send(Buffer.concat([getValues(), begin(1, { keep, role: 9 }), record(99, 0), record(STDIN, 0)]));
  await client.closed;
  expect(client.records.map(({ type }) => type)).toEqual([GET_VALUES_RESULT, END, UNKNOWN_TYPE]);
});

describe('46 a stalled request', () => {
  test('stops no other that is seen beside it, whether kept or not, asked or not', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, inputWindow: 65_536 })).connect();
    await client.send(Buffer.concat([head({ id: 1, stdin: Buffer.alloc(4 * MiB) }), head({ id: 2, stdin: 'small' })]));
    await played.next();
    const other = await played.next();
    await client.send(Buffer.concat([stream(STDIN, 1, Buffer.alloc(4 * MiB)), stream(STDIN, 2, 'small')]));
    other.response.send(HEAD, await other.request.stdin.bytes(10));
    expect((await client.response(2)).body).toBe('small');
  });

  test('of one-byte records takes little memory', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, inputWindow: 64 * 1024 })).connect();
    await client.send(getValues('FCGI_MPXS_CONNS'));
    const count = 600_000;
    const records = Buffer.alloc(count * 9);
    for (let i = 0; i < count; i++) record(STDIN, 1, Buffer.from([i & 255])).copy(records, i * 9);
    await client.send(head({ id: 1, keep, params: { REQUEST_METHOD: 'POST' } }));
    const stalled = await played.next();
    const before = process.memoryUsage();
    let most = 0;
    for (let at = 0; at < records.length; at += 65_536) {
      await client.send(records.subarray(at, at + 65_536));
      await turn();
      const { heapUsed, external } = process.memoryUsage();
      most = Math.max(most, heapUsed + external - before.heapUsed - before.external);
    }
    await client.send(record(STDIN, 1));
    await client.sync();
    expect(most).toBeLessThan(48 * MiB);
    let at = 0;
    for await (const piece of stalled.request.stdin) {
      for (const byte of piece) if (byte !== (at++ & 255)) throw new Error(`byte ${at} is wrong`);
    }
    expect(at).toBe(count);
    stalled.response.send(HEAD, 'ok');
    expect((await client.response(1)).body).toBe('ok');
  });

  test('is read from no faster than its file can be written', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, inputWindow: 4096 });
    const accepted = acceptedSocket();
    const client = await running.connect();
    const socket = await accepted;
    let stops = 0;
    socket.on('pause', () => (stops += 1));
    await client.send(getValues('FCGI_MPXS_CONNS'));
    const body = Buffer.alloc(MiB, 'abcdefg');
    await client.send(request({ id: 1, keep, stdin: body })); // comes to an end
    await client.sync();
    expect(stops).toBeGreaterThan(0);
    const { request: incoming, response } = await played.next();
    response.send(HEAD, String((await incoming.stdin.bytes(2 * MiB)).equals(body)));
    expect((await client.response(1)).body).toBe('true');
  });

  test('of more than maxSpoolBytes stops the reading, until it is read', async () => {
    const played = calls();
    const limits = { inputWindow: 64 * 1024, maxSpoolBytes: MiB };
    const running = await start({ responder: played.handler, ...limits });
    const accepted = acceptedSocket();
    const client = await running.connect();
    await client.send(getValues('FCGI_MPXS_CONNS'));
    const body = Buffer.alloc(8 * MiB, 'abcdefg');
    const sent = client.send(request({ id: 1, keep, stdin: body }));
    const { request: incoming, response } = await played.next();
    const socket = await accepted;
    await paused(socket);
    while (socket.bytesRead < limits.maxSpoolBytes) await turn(); // it stops and goes on while the file is written
    await paused(socket);
    expect(socket.bytesRead).toBeLessThan(limits.maxSpoolBytes + 4 * limits.inputWindow);
    const pieces: Buffer[] = [];
    for await (const piece of incoming.stdin) pieces.push(piece);
    await sent;
    expect(Buffer.concat(pieces).equals(body)).toBe(true);
    response.send(HEAD, 'ok');
    expect((await client.response(1)).body).toBe('ok');
  });

  test('alone on a kept connection holds it up no longer than others could have to wait behind it', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, inputWindow: 65_536, abortTimeout: 40 })).connect();
    const since = performance.now();
    await client.send(request({ id: 1, keep, stdin: Buffer.alloc(4 * MiB) }));
    await played.next();
    await client.send(request({ id: 2, keep }));
    const other = await played.next();
    expect(performance.now() - since).toBeGreaterThan(950); // until then it is taken for alone
    other.response.send(HEAD, 'two');
    expect((await client.response(2)).body).toBe('two');
  });
});

const onLinux = process.platform === 'linux' ? describe : describe.skip; // its /proc tells which files are open

onLinux('46 the temporary file of a stalled request', () => {
  /** Temporary files of request bodies that are open: they have no name any more. */
  const temporaryFiles = (): number =>
    readdirSync('/proc/self/fd')
      .map((fd) => linkOf(`/proc/self/fd/${fd}`))
      .filter((link) => /\/postfork-\d+-[0-9a-f-]{36} \(deleted\)$/.test(link)).length;

  test('of megabytes that nobody reads stops neither GET_VALUES nor other requests; a file takes it', async () => {
    const played = calls();
    const inputWindow = 64 * 1024;
    const client = await (await start({ responder: played.handler, inputWindow })).connect();
    const body = Buffer.alloc(16 * MiB);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32BE(at, at);
    await client.send(getValues('FCGI_MPXS_CONNS')); // who asks multiplexes
    await client.send(head({ id: 1, keep, stdin: body }));
    const stalled = await played.next();
    await client.send(stream(STDIN, 1, body)); // comes to an end though nobody reads
    await client.send(request({ id: 2, keep, stdin: 'small' }));
    const other = await played.next();
    other.response.send(HEAD, await other.request.stdin.bytes(10));
    expect((await client.response(2)).body).toBe('small');
    await client.sync();
    expect(temporaryFiles()).toBe(1);

    const pieces: Buffer[] = [];
    for await (const piece of stalled.request.stdin) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(body)).toBe(true);
    stalled.response.send(HEAD, 'late');
    expect((await client.response(1)).body).toBe('late');
    for (let i = 0; temporaryFiles() > 0 && i < 1000; i++) await turn(); // it is closed behind what was read
    expect(temporaryFiles()).toBe(0);
  });

  test.each(['abort', 'answer', 'close'] as const)('gives its file back when it ends unread (%s)', async (how) => {
    const played = calls();
    const client = await (await start({ responder: played.handler, inputWindow: 65_536 })).connect();
    await client.send(getValues('FCGI_MPXS_CONNS'));
    await client.send(request({ id: 1, keep, stdin: Buffer.alloc(4 * MiB) }));
    const { response, finish } = await played.next();
    await client.sync();
    expect(temporaryFiles()).toBe(1);
    if (how === 'abort') await client.send(record(2, 1));
    else if (how === 'answer') response.send(HEAD, 'unread');
    else client.destroy();
    finish();
    for (let i = 0; temporaryFiles() > 0 && i < 1000; i++) await turn();
    expect(temporaryFiles()).toBe(0);
  });
});

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return ''; // closed in the meantime
  }
}
