// Server.close: nothing that a web server has sent, or is about to send on a kept connection, is lost.

import { once } from 'node:events';
import { turn } from '../support/raw-client.ts';
import { begin, head, PARAMS, record, request, STDIN, stream } from '../support/raw-records.ts';
import { HEAD, ok, servers } from '../support/servers.ts';
import { Server, type Handler } from '../../lib/server/index.ts';

const { start, calls } = servers();
const keep = true;

describe('close', () => {
  test('without connections is done at once; twice is the same', async () => {
    const { server } = await start();
    const closing = server.close();
    expect(server.close()).toBe(closing);
    expect(server.closing).toBe(true);
    await closing;
  });

  test('again with a shorter time aborts what runs when that is over, and a longer one changes nothing', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request());
    const { request: incoming, finish } = await played.next();
    const closing = running.server.close({ timeout: Infinity });
    void running.server.close({ timeout: 50 });
    void running.server.close({ timeout: 60_000 });
    await client.closed;
    expect(incoming.aborted).toBe(true);
    finish();
    await closing;
  });

  test('with `closeWithAnswers` a kept connection ends with its answer', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request({ keep }));
    const { response, finish } = await played.next();
    running.server.closeWithAnswers();
    const closing = running.server.close({ timeout: Infinity, idle: 60_000 });
    response.send(HEAD, 'all');
    finish();
    expect((await client.response()).body).toBe('all');
    expect(await client.closed).toBe('end');
    await closing;
  });

  test('at the beginning of a request, as `onRequest` tells it, keeps the next one away', async () => {
    const begun: number[] = [];
    const running = await start(
      {
        responder: ok,
        onRequest: () => {
          begun.push(running.server.served);
          if (begun.length === 2) void running.server.close();
        },
      },
      'tcp',
    );
    for (let asked = 0; asked < 2; asked++) {
      const client = await running.connect();
      await client.send(request());
      await client.response();
    }
    await expect(running.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(begun).toEqual([1, 2]);
  });

  test('of a server that never listened is done at once', async () => {
    await expect(new Server({}).close()).resolves.toBe(undefined);
  });

  test('accepts nobody any more', async () => {
    const played = calls();
    const running = await start({ responder: played.handler }, 'tcp');
    const client = await running.connect();
    await client.send(request({ keep }));
    const { response, finish } = await played.next();
    const closing = running.server.close({ idle: 10 });
    await expect(running.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    response.send(HEAD, '');
    finish();
    await closing;
  });

  test('waits for the request that runs, its whole answer and its body', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(head({ stdin: 'abc' }));
    const { request: incoming, response, finish } = await played.next();
    const closing = running.server.close({ idle: 10 });
    await client.send(stream(STDIN, 1, 'abc'));
    response.start(HEAD);
    response.write(await incoming.stdin.bytes(10));
    response.write(Buffer.alloc(4 * 1024 * 1024));
    response.end();
    expect((await client.response()).body.length).toBe(3 + 4 * 1024 * 1024);
    finish();
    await closing;
    expect(await client.closed).toBe('end');
  });

  test('waits for a handler that goes on behind its answer', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request());
    const { response, finish } = await played.next();
    response.send(HEAD, 'ok');
    await client.response();
    await client.closed;
    let closed = false;
    const closing = running.server.close().then(() => (closed = true));
    await running.quiet();
    for (let i = 0; i < 10; i++) await turn();
    expect(closed).toBe(false);
    finish();
    await closing;
  });

  test('a kept connection goes on being served, and is closed once it has been idle', async () => {
    const running = await start({ responder: ok });
    const client = await running.connect();
    await client.send(request({ keep }));
    await client.response();
    const closing = running.server.close({ idle: 400 });
    for (let i = 0; i < 6; i++) {
      const since = performance.now();
      while (performance.now() - since < 100) await turn();
      await client.send(request({ keep, stdin: 'a POST' }));
      expect((await client.response()).body).toBe('ok');
    }
    expect(await client.closed).toBe('end');
    await closing;
  });

  test('a connection that has not had its first request yet may still send it', async () => {
    const running = await start({ responder: ok });
    const client = await running.connect();
    await client.sync();
    const closing = running.server.close({ idle: 20 });
    const since = performance.now();
    while (performance.now() - since < 100) await turn();
    await client.send(request({ keep, stdin: 'a POST' }));
    expect((await client.response()).body).toBe('ok');
    await closing;
  });

  test('a request that has only begun is served', async () => {
    const running = await start({ responder: ok });
    const client = await running.connect();
    const bytes = request({ keep });
    await client.send(bytes.subarray(0, 20));
    await turn(); // it has been read
    const closing = running.server.close({ idle: 20 });
    const since = performance.now();
    while (performance.now() - since < 60) await turn();
    await client.send(bytes.subarray(20));
    expect((await client.response()).body).toBe('ok');
    await closing;
    expect(await client.closed).toBe('end');
  });

  test('at the timeout, what runs is aborted with STOPPING and its connection closed', async () => {
    const played = calls();
    const running = await start({ responder: played.handler, abortTimeout: 50 });
    const client = await running.connect();
    await client.send(Buffer.concat([head({ id: 1, keep, stdin: 'abc' }), begin(2, { keep }), record(PARAMS, 2, 'x')]));
    const { request: incoming, finish } = await played.next();
    const reading = incoming.stdin.read();
    const closing = running.server.close({ timeout: 30 });
    await expect(reading).rejects.toMatchObject({ code: 'STOPPING' });
    expect(incoming.signal.reason).toMatchObject({ code: 'STOPPING' });
    finish();
    await closing;
    await client.closed;
    expect([running.server.requests, running.server.connections]).toEqual([0, 0]);
  });

  test('a handler that hears nothing is not waited for longer than abortTimeout', async () => {
    const responder: Handler = () => new Promise(() => {});
    const running = await start({ responder, abortTimeout: 30 });
    const client = await running.connect();
    await client.send(request({ keep }));
    await client.sync();
    await running.server.close({ timeout: 10 });
    await client.closed;
    expect(running.server.connections).toBe(0);
  });

  test('a timeout without end is no timeout', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request());
    const { request: incoming, response, finish } = await played.next();
    const closing = running.server.close({ timeout: Infinity });
    const since = performance.now();
    while (performance.now() - since < 50) await turn();
    expect(incoming.aborted).toBe(false);
    response.send(HEAD, 'ok');
    finish();
    expect((await client.response()).body).toBe('ok');
    await closing;
  });

  test('a web server that goes away while it closes is not waited for', async () => {
    const played = calls();
    const running = await start({ responder: played.handler });
    const client = await running.connect();
    await client.send(request({ keep }));
    const { request: incoming, finish } = await played.next();
    const closing = running.server.close();
    client.destroy();
    await once(incoming.signal, 'abort');
    finish();
    await closing;
    expect(running.server.connections).toBe(0);
  });
});
