// Deadlines: what is waited for, and how long.

import { once } from 'node:events';
import type { Handler } from '../../lib/server/index.ts';
import { acceptedSocket } from '../support/accepted-socket.ts';
import { turn } from '../support/raw-client.ts';
import { begin, getValues, head, pairs, PARAMS, record, request, STDIN, stream } from '../support/raw-records.ts';
import { HEAD, ok, servers } from '../support/servers.ts';

const { start, calls } = servers();
const keep = true;

describe('headersTimeout', () => {
  test('a connection that sends nothing is closed', async () => {
    const running = await start({ headersTimeout: 30 });
    const client = await running.connect();
    expect(await client.closed).toBe('end');
    expect(client.received).toBe(0);
    await running.quiet();
  });

  test('a connection whose PARAMS do not end is closed, however slowly they go on', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, headersTimeout: 60 });
    const client = await running.connect();
    await client.send(Buffer.concat([begin(1, { keep }), record(PARAMS, 1, pairs({ A: 'b' }))]));
    const dripping = setInterval(() => void client.send(record(PARAMS, 1, pairs({ C: 'd' }))), 10);
    await client.closed;
    clearInterval(dripping);
    await running.quiet();
    expect([played.count, running.server.requests]).toEqual([0, 0]);
    expect(running.log.filter(({ level }) => level === 'warn').length).toBe(1);
  });

  test('a record sent byte by byte keeps no connection open that has no request', async () => {
    const running = await start({ headersTimeout: 60 });
    const client = await running.connect();
    const junk = record(STDIN, 7, 'x'.repeat(60_000));
    let at = 0;
    const dripping = setInterval(() => void client.send(junk.subarray(at, ++at)), 10);
    await client.closed;
    clearInterval(dripping);
    expect(at).toBeLessThan(1000);
  });

  test('of one request among others: END_REQUEST for it, the others go on', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, headersTimeout: 30 })).connect();
    await client.send(Buffer.concat([request({ id: 1, keep }), begin(2, { keep }), record(PARAMS, 2, 'x')]));
    expect(await client.response(2)).toMatchObject({ stdout: '', appStatus: 1, protocolStatus: 0 });
    (await played.next()).response.send(HEAD, 'one');
    expect((await client.response(1)).body).toBe('one');
  });

  test('a kept connection is allowed a whole headersTimeout for its next request, not what idleTimeout has left', async () => {
    const running = await start({ responder: ok, headersTimeout: 5000, idleTimeout: 200 });
    const client = await running.connect();
    await client.send(request({ keep }));
    await client.response();
    const bytes = request({ keep });
    const since = performance.now();
    await client.send(bytes.subarray(0, 5));
    while (performance.now() - since < 400) await turn(); // twice as long as it may be idle
    await client.send(bytes.subarray(5));
    expect((await client.response()).body).toBe('ok');
  });
});

describe('bodyTimeout', () => {
  test('a handler that waits for STDIN gets BODY_TIMEOUT', async () => {
    const running = await start({ bodyTimeout: 30 });
    const client = await running.connect();
    await client.send(Buffer.concat([head({ keep, stdin: 'abcd' }), record(STDIN, 1, 'ab')]));
    expect((await client.response()).body).toBe('POST / BODY_TIMEOUT');
    await client.send(request({ keep }));
    expect((await client.response()).status).toBe(200);
  });

  test('does not run while bytes come', async () => {
    const client = await (await start({ bodyTimeout: 400 })).connect();
    const since = performance.now();
    await client.send(head({ keep, params: { REQUEST_METHOD: 'POST' } }));
    let sent = '';
    while (performance.now() - since < 1000) {
      sent += 'x';
      await client.send(record(STDIN, 1, 'x'));
      await turn();
    }
    await client.send(record(STDIN, 1));
    expect((await client.response()).body).toBe(`POST / ${sent}`);
  });

  test('does not run while the handler does not read', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, bodyTimeout: 20 })).connect();
    await client.send(head({ keep, stdin: 'abc' }));
    const { request: incoming, response } = await played.next();
    const since = performance.now();
    while (performance.now() - since < 100) await turn();
    await client.send(stream(STDIN, 1, 'abc'));
    await client.sync();
    response.send(HEAD, await incoming.stdin.bytes(10));
    expect((await client.response()).body).toBe('abc');
  });
});

describe('idleTimeout', () => {
  test('a kept connection without a request is closed', async () => {
    const client = await (await start({ responder: ok, idleTimeout: 30 })).connect();
    await client.send(request({ keep }));
    await client.response();
    expect(await client.closed).toBe('end');
  });

  test('does not run while a request is active', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, idleTimeout: 20 })).connect();
    for (let i = 0; i < 2; i++) {
      await client.send(request({ keep }));
      const { response } = await played.next();
      const since = performance.now();
      while (performance.now() - since < 100) await turn();
      response.send(HEAD, 'ok');
      expect((await client.response()).body).toBe('ok');
    }
  });

  test('begins anew with every GET_VALUES', async () => {
    const client = await (await start({ responder: ok, idleTimeout: 400 })).connect();
    await client.send(request({ keep }));
    await client.response();
    const since = performance.now();
    while (performance.now() - since < 1000) {
      await client.send(getValues());
      await turn();
    }
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe('ok');
  });
});

describe.each(['unix', 'tcp'] as const)('writeTimeout over %s', (transport) => {
  test('a web server that takes nothing is given up', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, writeTimeout: 50 }, transport);
    const client = await running.connect();
    client.socket.pause();
    await client.send(request({ keep }));
    const { request: incoming, response } = await played.next();
    response.start(HEAD);
    response.write(Buffer.alloc(16 * 1024 * 1024));
    await once(incoming.signal, 'abort');
    await response.drained(); // waits no longer
    expect(response.over).toBe(true);
    expect(running.log.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([
      'connection closed: the web server took nothing for writeTimeout',
    ]);
    expect(running.server.connections).toBe(0);
  });

  test('one that takes a large answer slowly is not', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const responder: Handler = (_request, response) => response.send(HEAD, body);
    const running = await start({ responder, writeTimeout: 400 }, transport);
    const client = await running.connect();
    const since = performance.now();
    let taken = 0;
    client.socket.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      const due = since + (taken / body.length) * 1200; // ms
      if (performance.now() >= due) return;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), due - performance.now());
    });
    await client.send(request({ keep }));
    expect((await client.response()).body.length).toBe(body.length);
    expect(performance.now() - since).toBeGreaterThan(800);
  });
});

describe('abortTimeout', () => {
  test('END_REQUEST follows an ABORT_REQUEST within it, though the handler goes on', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler, abortTimeout: 30 })).connect();
    await client.send(request({ keep }));
    await played.next();
    await client.send(record(2, 1));
    expect((await client.response()).protocolStatus).toBe(0);
    expect(client.records.length).toBe(1);
  });
});

describe('lingerTimeout', () => {
  test('a web server that never stops sending to an answered request is cut off', async () => {
    const running = await start({ responder: ok, lingerTimeout: 50 });
    const accepted = acceptedSocket();
    const client = await running.connect();
    await client.send(head({ stdin: 'x'.repeat(1000) }));
    expect((await client.response()).body).toBe('ok');
    expect(await client.closed).toBe('end');
    const socket = await accepted;
    const dripping = setInterval(() => void client.send(record(STDIN, 1, 'x')), 5);
    await once(socket, 'close');
    clearInterval(dripping);
    expect(running.server.connections).toBe(0);
  });

  test('runs from when the answer has been taken', async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const responder: Handler = (_request, response) => response.send(HEAD, body);
    const running = await start({ responder, lingerTimeout: 100 });
    const client = await running.connect();
    client.socket.pause();
    await client.send(head({ stdin: 'x'.repeat(1000) }));
    const since = performance.now();
    while (performance.now() - since < 300) await turn();
    client.socket.resume();
    expect((await client.response()).body.length).toBe(body.length);
    expect(await client.closed).toBe('end');
  });
});
