// Bodies of requests on their way to the application.

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Application, HttpResponse } from '../../lib/app/index.ts';
import { answerTo, open, send } from '../support/http.ts';
import { patternBytes } from '../web-servers/pattern.ts';
import { stable } from './stable.ts';
import { gateways } from './gateways.ts';

const MIB = 1024 * 1024;
const { before, beforeScript, raw } = gateways();

/** Counts what it is sent; `/late` reads nothing until `read` resolves. */
function counter(read: Promise<void> = Promise.resolve()): Application {
  return new Application().fallback(async (request) => {
    await read;
    let length = 0;
    for await (const piece of request.body) length += piece.length;
    return { length, contentLength: request.contentLength };
  });
}

test('a body with a length streams: its beginning arrives before there is more', async () => {
  let arrived = (_text: string): void => {};
  const first = new Promise<string>((resolve) => (arrived = resolve));
  const application = new Application().fallback(async (request) => {
    let text = '';
    for await (const piece of request.body) {
      text += piece.toString();
      arrived(text);
    }
    return text;
  });
  const { port } = await before(application);
  const request = open(port, { method: 'POST', headers: { 'Content-Length': '6' } });
  request.write('abc');
  expect(await first).toBe('abc');
  request.end('def');
  expect(await answerTo(request)).toEqual({ status: 200, text: 'abcdef' });
});

test('a client is held back while the application does not read, and 64 MiB arrive in the end', async () => {
  let begin = (): void => {};
  const { port } = await before(counter(new Promise((resolve) => (begin = resolve))));
  const length = 64 * MIB;
  const request = open(port, { method: 'POST', headers: { 'Content-Length': String(length) } });
  const answer = answerTo(request);
  const [socket] = (await once(request, 'socket')) as [Socket];
  const piece = patternBytes(MIB);
  let sent = 0;
  const sending = (async () => {
    for (; sent < length; sent += piece.length) if (!request.write(piece)) await once(request, 'drain');
    request.end();
  })();
  await stable(() => socket.bytesWritten - socket.writableLength);
  expect(sent).toBeLessThan(24 * MIB); // the buffers of the sockets, which the system makes larger
  begin();
  await sending;
  expect(JSON.parse((await answer).text)).toEqual({ length, contentLength: length });
});

describe('a chunked body', () => {
  test('gets its length before the application has it', async () => {
    const { port } = await before(counter());
    const { body } = await send(port, { method: 'POST', body: patternBytes(MIB), chunked: true });
    expect(JSON.parse(body.toString())).toEqual({ length: MIB, contentLength: MIB });
  });

  test('may be empty', async () => {
    const { port } = await before(counter());
    const { body } = await send(port, { method: 'POST', body: '', chunked: true });
    expect(JSON.parse(body.toString())).toEqual({ length: 0, contentLength: 0 });
  });

  test('is bounded: a longer one is a 413 that never reaches the application, and the next request goes on', async () => {
    const started = await beforeScript({ maxChunkedBody: 3 });
    const http = await raw(started, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n');
    await http.has(/^HTTP\/1\.1 413 Payload Too Large\r\n[^]*Content-Length/);
    started.application.serve((request, connection) => connection.answer(request.id, 'A: b\n\nnext'));
    http.socket.write('5\r\nefghi\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await http.closed).toMatch(/HTTP\/1\.1 200 OK\r\n[^]*\r\n4\r\nnext\r\n0\r\n\r\n$/);
    expect(started.application.connections).toHaveLength(1);
  });
});

test.each([
  ['one that nobody would undo is a 501', 'HTTP/1.1', 'gzip, chunked', 501],
  ['none exists in HTTP/1.0: a 400', 'HTTP/1.0', 'chunked', 400],
])('of transfer codings %s', async (_title, version, coding, status) => {
  const started = await beforeScript();
  const body = '3\r\nabc\r\n0\r\n\r\n';
  const fields = `Host: a\r\nConnection: close\r\nTransfer-Encoding: ${coding}`;
  const http = await raw(started, `POST / ${version}\r\n${fields}\r\n\r\n${body}`);
  expect(await http.closed).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(started.application.connections).toHaveLength(0);
});

test('Expect: 100-continue is answered before the body is sent', async () => {
  const started = await before(counter());
  const head = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n';
  const http = await raw(started, head);
  await http.has(/^HTTP\/1\.1 100 Continue\r\n\r\n/);
  http.socket.write('hi');
  expect(await http.closed).toMatch(/HTTP\/1\.1 200 OK\r\n[^]*"length":2/);
});

test.each(['close', 'keep-alive'])('an early answer reaches a client that still sends (%s)', async (connection) => {
  const application = new Application().fallback(() => HttpResponse.text('no', { status: 413 }));
  const { port } = await before(application);
  const sent = { method: 'POST', body: patternBytes(8 * MIB), headers: { Connection: connection } };
  expect(await send(port, sent)).toMatchObject({ status: 413, complete: true });
});

test('pipelined requests are answered in order, with what an application left of their bodies dropped', async () => {
  const application = new Application();
  application.post('/left', () => 'left');
  application.post('/read', async (request) => `read ${await request.text()}`);
  const started = await before(application);
  const post = (path: string, body: string, more = ''): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${more}\r\n${body}`;
  const http = await raw(
    started,
    post('/left', 'x'.repeat(100_000)) +
      post('/read', 'one') +
      post('/left', 'y') +
      post('/read', 'two', 'Connection: close\r\n'),
  );
  const bodies = (await http.closed).split(/HTTP\/1\.1 200 OK\r\n/).map((answer) => answer.split('\r\n\r\n')[1]);
  expect(bodies).toEqual([undefined, 'left', 'read one', 'left', 'read two']);
});

test('a client that goes away in the middle of its body aborts the request at once', async () => {
  const started = await beforeScript();
  const http = await raw(started, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
  const connection = await started.application.connection();
  await connection.head();
  http.socket.destroy();
  await connection.closed;
  expect(await started.accesses.next()).toMatchObject({ status: 499, end: 'gone', bytes: 0 });
});

test('a client that does not send the rest of its body is a 408', async () => {
  const started = await before(counter(), { timeout: 50 });
  const http = await raw(started, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
  const [page] = await http.has(/^HTTP\/1\.1 408 [^]*\.\n$/);
  expect(page).toContain("Nothing more of the request's body");
});
