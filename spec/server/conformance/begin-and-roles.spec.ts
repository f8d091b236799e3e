// WIRE 25 to 30: BEGIN_REQUEST, roles, KEEP_CONN, overload (FastCGI 1.0, 3.5; 5.1; 5.5).

import type { RawClient } from '../../support/raw-client.ts';
import { ABORT, begin, BEGIN, END, head, PARAMS, record, request, STDIN, stream } from '../../support/raw-records.ts';
import { HEAD, ok, servers } from '../../support/servers.ts';

const { start, calls } = servers();
const keep = true;
const OVERLOADED = 2;
const UNKNOWN_ROLE = 3;

/** That nothing was answered but END_REQUEST with this protocolStatus. */
async function expectEnd(client: RawClient, id: number, protocolStatus: number): Promise<void> {
  const { records } = await client.response(id);
  expect(records.map(({ type, content }) => [type, content.toString('hex')])).toEqual([
    [END, `000000000${protocolStatus}000000`],
  ]);
}

describe('25 (5.1) the body of BEGIN_REQUEST', () => {
  test.each([0, 7, 9, 16, 65_535])('of %i bytes closes the connection', async (length) => {
    const running = await start();
    const client = await running.connect();
    await client.send(record(BEGIN, 1, Buffer.alloc(length, 1)));
    await client.closed;
    expect(running.log.map(({ fields }) => fields.code)).toContain('BAD_LENGTH');
  });

  test('reserved bytes and unknown flags are ignored', async () => {
    const client = await (await start()).connect();
    const body = Buffer.from([0, 1, 0xff, 1, 2, 3, 4, 5]);
    await client.send(Buffer.concat([record(BEGIN, 1, body), request({ keep }).subarray(16)]));
    expect((await client.response()).status).toBe(200);
    await client.sync(); // KEEP_CONN was one of the flags
    await client.send(record(BEGIN, 1, Buffer.from([0, 1, 0xfe, 0, 0, 0, 0, 0])));
    await client.send(request().subarray(16));
    expect((await client.response()).status).toBe(200);
    await client.closed; // now it was not
  });
});

describe('26 (5.1, 5.5) a role that is not served', () => {
  test.each([0, 2, 3, 4, 256, 65_535])(
    '%i is ended with UNKNOWN_ROLE, what follows for it is ignored',
    async (role) => {
      const played = calls();
      const client = await (await start({ responder: played.handler })).connect();
      await client.send(Buffer.concat([request({ role, keep, stdin: 'body' }), record(ABORT, 1)]));
      await expectEnd(client, 1, UNKNOWN_ROLE);
      await client.sync();
      expect(client.records.length).toBe(1);
      expect(played.count).toBe(0);
    },
  );

  test('without KEEP_CONN the connection is closed behind it', async () => {
    const client = await (await start()).connect();
    await client.send(request({ role: 9, stdin: 'body' }));
    await expectEnd(client, 1, UNKNOWN_ROLE);
    expect(await client.closed).toBe('end');
  });

  test('without KEEP_CONN what comes behind it in the same chunk is not served', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(Buffer.concat([request({ role: 9 }), request({ id: 2 })]));
    await expectEnd(client, 1, UNKNOWN_ROLE);
    expect(await client.closed).toBe('end');
    expect([played.count, running.server.requests]).toEqual([0, 0]);
  });
});

describe('27 (5.5) a second request when multiplexing is off', () => {
  test('is ended with CANT_MPX_CONN, whatever its flags; the first goes on and the connection stays', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, multiplex: false })).connect();
    await client.send(head({ keep, stdin: 'abcd' }));
    const call = await played.next();
    await client.send(Buffer.concat([request({ id: 2 }), stream(STDIN, 1, 'abcd')]));
    await expectEnd(client, 2, 1);
    call.response.send(HEAD, await call.request.stdin.bytes(10));
    expect((await client.response()).body).toBe('abcd');
    await client.send(request({ id: 2, keep }));
    (await played.next()).response.send(HEAD, 'now');
    expect((await client.response(2)).body).toBe('now');
  });
});

describe('28 (5.5) more requests than there may be', () => {
  test('are answered with a complete 503 and Retry-After; once there is room again they are served', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, maxActiveRequests: 2 });
    const [client, other] = [await running.connect(), await running.connect()];
    await client.send(Buffer.concat([request({ id: 1, keep }), request({ id: 2, keep })]));
    const first = await played.next();
    await played.next();
    await other.send(request({ keep, stdin: 'body' }));
    const refused = await other.response();
    expect(refused).toMatchObject({ status: 503, appStatus: 0, protocolStatus: 0 });
    expect(refused.stdout).toMatch(/\r\nRetry-After: \d+\r\n/);
    expect(refused.stdout).toMatch(/\r\nContent-Length: \d+\r\n/);
    expect(refused.body.length).toBe(Number(/Content-Length: (\d+)/.exec(refused.stdout)?.[1]));
    first.response.send(HEAD, 'one');
    await client.response(1);
    await other.send(request({ keep }));
    (await played.next()).response.send(HEAD, 'two');
    expect((await other.response()).body).toBe('two');
  });

  test("with overload: 'status' END_REQUEST says OVERLOADED", async () => {
    const played = calls();
    const running = await start({ responder: played.handler, maxActiveRequests: 1, overload: 'status' });
    const client = await running.connect();
    await client.send(Buffer.concat([request({ id: 1, keep }), request({ id: 2, keep })]));
    await expectEnd(client, 2, OVERLOADED);
    const other = await running.connect();
    await other.send(request());
    await expectEnd(other, 1, OVERLOADED);
    expect(await other.closed).toBe('end');
  });

  test('on one connection, beyond maxRequestsPerConnection, END_REQUEST says OVERLOADED at once', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, maxRequestsPerConnection: 2 })).connect();
    await client.send(Buffer.concat([begin(1, { keep }), begin(2, { keep }), begin(3, { keep })]));
    await expectEnd(client, 3, OVERLOADED);
    await client.send(Buffer.concat([1, 2].map((id) => request({ id, keep }).subarray(16))));
    for (const id of [1, 2]) {
      (await played.next()).response.send(HEAD, '');
      expect((await client.response(id)).status).toBe(200);
    }
  });
});

describe.each(['unix', 'tcp'] as const)('29 (3.5, 5.1) KEEP_CONN over %s', (transport) => {
  test('0: closed behind END_REQUEST, in the orderly way', async () => {
    const client = await (await start({ responder: ok }, transport)).connect();
    await client.send(request());
    expect((await client.response()).body).toBe('ok');
    expect(await client.closed).toBe('end');
  });

  test('0: a large answer arrives whole before the connection ends', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const running = await start({ responder: (_request, response) => response.send(HEAD, body) }, transport);
    const client = await running.connect();
    client.socket.pause();
    await client.send(request());
    client.socket.resume();
    expect((await client.response()).body.length).toBe(body.length);
    expect(await client.closed).toBe('end');
  });

  test('1: not closed', async () => {
    const client = await (await start({ responder: ok }, transport)).connect();
    for (let i = 0; i < 3; i++) {
      await client.send(request({ keep }));
      await client.response();
    }
    await client.sync();
    expect(client.ending).toBe(undefined);
  });

  test('mixed on one connection: closed when the last active request is done', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler }, transport)).connect();
    await client.send(Buffer.concat([request({ id: 1 }), request({ id: 2, keep })]));
    const [first, second] = [await played.next(), await played.next()];
    first.response.send(HEAD, 'one');
    await client.response(1);
    await client.sync(); // still open
    second.response.send(HEAD, 'two');
    expect((await client.response(2)).body).toBe('two');
    expect(await client.closed).toBe('end');
  });

  test('0 for one that is answered early, while another goes on: what is left of its STDIN costs nobody an answer', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler }, transport)).connect();
    await client.send(Buffer.concat([head({ id: 1, stdin: 'x'.repeat(100) }), request({ id: 2, keep })]));
    const [first, second] = [await played.next(), await played.next()];
    first.response.send(HEAD, 'early');
    await client.response(1);
    client.socket.pause();
    second.response.send(HEAD, 'two');
    await client.send(stream(STDIN, 1, 'x'.repeat(1024 * 1024)));
    client.socket.resume();
    expect((await client.response(2)).body).toBe('two');
    expect(await client.closed).toBe('end');
  });
});

describe.each(['unix', 'tcp'] as const)('30 (3.5) the web server closes over %s', (transport) => {
  test.each(['end', 'destroy', 'reset'] as const)('%s: all active requests are aborted', async (how) => {
    const played = calls();
    const running = await start({ responder: played.handler }, transport);
    const client = await running.connect();
    await client.send(
      Buffer.concat([request({ id: 1, keep }), head({ id: 2, keep, stdin: 'x' }), begin(3), record(PARAMS, 3, 'x')]),
    );
    const two = [await played.next(), await played.next()];
    const reading = two[1]?.request.stdin.read();
    const aborted = two.map(
      ({ request: { signal } }) => new Promise((resolve) => signal.addEventListener('abort', resolve)),
    );
    if (how === 'end') client.end();
    else if (how === 'destroy' || transport === 'unix') client.destroy();
    else client.socket.resetAndDestroy();
    await Promise.all(aborted);
    await expect(reading).rejects.toMatchObject({ code: 'ABORTED' });
    expect(two.map(({ request: incoming }) => incoming.aborted)).toEqual([true, true]);
    expect(running.server.requests).toBe(0);
    expect(running.server.connections).toBe(0);
    for (const { response } of two) {
      response.send(HEAD, 'for nobody');
      expect(response.over).toBe(true);
    }
  });

  test('idle: the connection is closed and nothing else happens', async () => {
    const running = await start({ responder: ok }, transport);
    const client = await running.connect();
    await client.send(request({ keep }));
    await client.response();
    client.end();
    expect(await client.closed).toBe('end');
    expect(running.log.filter(({ level }) => level !== 'debug')).toEqual([]);
  });

  test('an answer that is on its way is sent to its end', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, 'x');
    const running = await start({ responder: (_request, response) => response.send(HEAD, body) }, transport);
    const client = await running.connect();
    client.socket.pause();
    await client.send(request({ keep }));
    client.end();
    client.socket.resume();
    expect((await client.response()).body.length).toBe(body.length);
    expect(await client.closed).toBe('end');
  });
});
