// Answers of the application on their way to the client.

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Application, HttpResponse } from '../../lib/app/index.ts';
import { begin, open, send } from '../support/http.ts';
import { output } from '../support/scripted-application.ts';
import { patternBytes } from '../web-servers/pattern.ts';
import { gateways } from './gateways.ts';
import { stable } from './stable.ts';

const MIB = 1024 * 1024;
const { before, beforeScript, raw } = gateways();

/** The answer to a GET where the application sends this, and nothing else. */
async function answerOf(
  output: string,
  request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
): Promise<string> {
  const started = await beforeScript();
  started.application.serve(({ id }, connection) => connection.answer(id, output));
  return (await raw(started, request)).closed;
}

describe('the head', () => {
  test('has status and phrase of Status, and the fields as they were sent, repeated ones too', async () => {
    const answer = await answerOf(
      'Status: 418 Short And Stout\r\nX-a: 1\r\nSet-Cookie: a=1\r\nset-cookie: b=\xe4\r\n\r\n',
    );
    expect(answer).toMatch(
      /^HTTP\/1\.1 418 Short And Stout\r\nX-a: 1\r\nSet-Cookie: a=1\r\nset-cookie: b=\xe4\r\nDate: /,
    );
  });

  test('is 200 without Status, and 302 with a Location to another site', async () => {
    expect(await answerOf('Content-Type: text/plain\n\nx')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(await answerOf('Location: https://example.org/\n\n')).toMatch(
      /^HTTP\/1\.1 302 Found\r\nLocation: https:\/\/example\.org\/\r\n/,
    );
  });

  test('has nothing that is the gateway’s own business, or that Connection names', async () => {
    const answer = await answerOf(
      'Connection: X-Hop, keep-alive\nX-Hop: 1\nKeep-Alive: timeout=99\nTransfer-Encoding: gzip\nUpgrade: x\nTrailer: y\nX-End: 1\n\nabc',
    );
    expect(answer).not.toMatch(/X-Hop|timeout=99|gzip|Upgrade|Trailer/i);
    expect(answer).toMatch(/\r\nX-End: 1\r\n[^]*Connection: close\r\n[^]*3\r\nabc\r\n0\r\n\r\n$/);
  });

  test('has its length once: clients take two for an attack', async () => {
    const answer = await answerOf('Content-Length: 3\ncontent-length: 3\n\nabc');
    expect(answer.match(/content-length: 3\r\n/gi)).toHaveLength(1);
    expect(answer).toMatch(/\r\n\r\nabc$/);
  });

  test('goes out before there is a body', async () => {
    const started = await beforeScript();
    const http = await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const connection = await started.application.connection();
    const { id } = await connection.request();
    connection.send(output(id, 'Content-Type: text/event-stream\n\n'));
    await http.has(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
    connection.send(output(id, 'data: 1\n\n'));
    await http.has(/data: 1\n\n/);
    connection.answer(id, 'data: 2\n\n');
    await http.has(/data: 2\n\n\r\n0\r\n\r\n$/);
    expect(await started.accesses.next()).toMatchObject({ status: 200, bytes: 18, end: 'complete' });
  });
});

describe('no body', () => {
  test.each([
    ['HEAD', 'HEAD', 'Content-Length: 5\n\n', 'Content-Length: 5'],
    ['HEAD of an application that sends one', 'HEAD', 'Content-Length: 5\n\nhello', 'Content-Length: 5'],
    ['HEAD of an unknown length', 'HEAD', 'X-A: b\n\nhello', 'X-A: b'],
    ['204', 'GET', 'Status: 204\nContent-Length: 5\nX-A: b\n\nhello', 'X-A: b'],
    ['304', 'GET', 'Status: 304\nETag: "1"\n\nhello', 'ETag: "1"'],
  ])('%s', async (_title, method, output, field) => {
    const answer = await answerOf(output, `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/\r\n\r\n$/);
    expect(answer).not.toMatch(/hello|chunked/);
    expect(answer).toContain(`\r\n${field}\r\n`);
    expect(/content-length/i.test(answer)).toBe(field.startsWith('Content-Length'));
  });

  test('and the next request of the connection follows', async () => {
    const started = await beforeScript();
    started.application.serve(({ id }, connection) => connection.answer(id, 'Content-Length: 5\n\nhello'));
    const http = await raw(started, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    http.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await http.closed).toMatch(/^HTTP\/1\.1 200 [^]*\r\n\r\nHTTP\/1\.1 200 [^]*\r\n\r\nhello$/);
    expect(started.application.connections).toHaveLength(1);
  });
});

describe('a local redirect (RFC 3875, 6.2.2)', () => {
  test('is followed by a GET without the body, and the client sees its answer only', async () => {
    const started = await beforeScript();
    const seen: Record<string, string>[] = [];
    started.application.serve(({ id, params, stdin }, connection) => {
      seen.push({ ...Object.fromEntries(params), stdin: stdin.toString() });
      connection.answer(id, seen.length === 1 ? 'Location: /b%20c?d=1\n\n' : 'Content-Length: 2\n\nok');
    });
    const sent = {
      method: 'POST',
      path: '/a?x',
      body: 'hello',
      headers: { 'Content-Type': 'text/plain', Cookie: 'k=v' },
    };
    const { status, body } = await send(started.port, sent);
    expect({ status, body: body.toString() }).toEqual({ status: 200, body: 'ok' });
    expect(seen).toMatchObject([
      { REQUEST_METHOD: 'POST', REQUEST_URI: '/a?x', CONTENT_LENGTH: '5', stdin: 'hello' },
      {
        REQUEST_METHOD: 'GET',
        REQUEST_URI: '/b%20c?d=1',
        PATH_INFO: '/b c',
        QUERY_STRING: 'd=1',
        CONTENT_LENGTH: '',
        CONTENT_TYPE: '',
        HTTP_COOKIE: 'k=v',
        stdin: '',
      },
    ]);
    expect(await started.accesses.next()).toMatchObject({ target: '/a?x', status: 200 });
  });

  test('stays a HEAD', async () => {
    const started = await beforeScript();
    started.application.serve(({ id, params }, connection) => {
      const { REQUEST_URI: uri, REQUEST_METHOD: method } = Object.fromEntries(params);
      connection.answer(id, uri === '/' ? 'Location: /b\n\n' : `X-Method: ${method}\n\n`);
    });
    expect(await send(started.port, { method: 'HEAD' })).toMatchObject({ headers: { 'x-method': 'HEAD' } });
  });

  test('that leads to another one for ever is a 502', async () => {
    const started = await beforeScript();
    let count = 0;
    started.application.serve(({ id }, connection) => {
      count += 1;
      connection.answer(id, 'Location: /again\n\n');
    });
    const { status, body } = await send(started.port);
    expect({ status, count, text: body.toString() }).toMatchObject({
      status: 502,
      count: 11,
      text: expect.stringContaining('More than 10 local redirects') as string,
    });
  });
});

test('a client that does not read holds the application back, and gets its 64 MiB in the end', async () => {
  const length = 64 * MIB;
  const piece = patternBytes(MIB);
  let made = 0;
  const application = new Application().fallback(
    () =>
      new HttpResponse(
        (async function* () {
          for (; made < length; made += piece.length) yield piece;
        })(),
      ),
  );
  const { port } = await before(application);
  const request = open(port).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  await stable(() => made);
  expect(made).toBeLessThan(24 * MIB);
  let received = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) received += chunk.length;
  expect(received).toBe(length);
});

test('a client that takes nothing for too long is cut off, and the application is told', async () => {
  const started = await beforeScript({ timeout: 500 });
  const pieces = output(1, patternBytes(40 * MIB)); // more than all sockets on the way hold
  const http = await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  http.socket.pause();
  const connection = await started.application.connection();
  const { id } = await connection.request();
  connection.send(output(id, 'Content-Length: 100000000\n\n'), pieces);
  expect(await connection.abort()).toBe(id);
  expect(await started.accesses.next()).toMatchObject({ status: 200, end: 'cut' });
  await once(http.socket.resume(), 'close');
});

test('a client that takes nothing of answers that are complete is cut off too', async () => {
  const started = await beforeScript({ timeout: 500 });
  const size = 8192; // less than what Node holds before it asks to wait
  started.application.serve(({ id }, connection) => connection.answer(id, `A: b\n\n${'x'.repeat(size)}`));
  const http = await raw(started);
  http.socket.pause();
  http.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000));
  let access = await started.accesses.next();
  while (access.end === 'complete') access = await started.accesses.next();
  expect(access).toMatchObject({ status: 200, bytes: size, end: 'cut' });
  await once(http.socket.resume(), 'close');
});

test('a client that goes away aborts the request at once', async () => {
  let aborted = (): void => {};
  const told = new Promise<void>((resolve) => (aborted = resolve));
  const application = new Application().fallback(
    () =>
      new HttpResponse(
        (async function* () {
          try {
            yield 'first';
            await new Promise(() => {}); // for ever
          } finally {
            aborted();
          }
        })(),
      ),
  );
  const reached = application.use((request, next) => {
    request.signal.addEventListener('abort', aborted);
    return next(request);
  });
  const started = await before(reached);
  const answer = await begin(started.port);
  expect(await answer.piece()).toBe('first');
  answer.abort();
  await told;
  expect(await started.accesses.next()).toMatchObject({ status: 200, bytes: 5, end: 'gone' });
});

test('a client that goes away before the answer aborts it too', async () => {
  const started = await beforeScript();
  const http = await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const connection = await started.application.connection();
  const { id } = await connection.request();
  http.socket.destroy();
  expect(await connection.abort()).toBe(id); // the connection can be used again
  expect(await started.accesses.next()).toMatchObject({ status: 499, end: 'gone' });
});

describe('an application that breaks off in the middle is a cut connection', () => {
  test.each([
    ['chunked', 'X-A: b\n\nhello', 'HTTP/1.1', /\r\n5\r\nhello\r\n$/],
    ['with a length', 'Content-Length: 9\n\nhello', 'HTTP/1.1', /\r\n\r\nhello$/],
  ])('%s', async (_title, beginning, version, seen) => {
    const started = await beforeScript();
    const http = await raw(started, `GET / ${version}\r\nHost: a\r\n\r\n`);
    const connection = await started.application.connection();
    const { id } = await connection.request();
    connection.send(output(id, beginning));
    await http.has(/hello/);
    connection.destroy();
    expect(await http.closed).toMatch(seen);
    expect(await started.accesses.next()).toMatchObject({ status: 200, bytes: 5, end: 'cut' });
    expect(await started.lines.next()).toMatch(/^GET \/: the answer is cut: .*closed the connection/);
  });

  test('by a reset where the end of the connection would be the end of the answer', async () => {
    const started = await beforeScript();
    const http = await raw(started, 'GET / HTTP/1.0\r\n\r\n');
    const failed = once(http.socket, 'error').catch((error: NodeJS.ErrnoException) => [error]);
    const connection = await started.application.connection();
    const { id } = await connection.request();
    connection.send(output(id, 'X-A: b\n\nhello'));
    await http.has(/hello/);
    connection.destroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test('as is a body that is shorter or longer than its Content-Length', async () => {
    expect(await answerOf('Content-Length: 9\n\nhello')).toMatch(/\r\nContent-Length: 9\r\n[^]*\r\n\r\n(hello)?$/);
    const started = await beforeScript();
    started.application.serve(({ id }, connection) => connection.answer(id, 'Content-Length: 3\n\nhello'));
    await (
      await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ).closed;
    expect(await started.lines.next()).toMatch(/longer than its Content-Length/);
  });
});

describe('what is no answer is a 502', () => {
  test.each([
    ['nothing', ''],
    ['an HTTP status line', 'HTTP/1.1 200 OK\r\nA: b\r\n\r\n'],
    ['no header field', '\r\nhello'],
    ['a head without an end', 'A: b\r\n'],
    ['a status that is none', 'Status: 99\n\n'],
    ['another protocol', 'Status: 101 Switching Protocols\n\n'],
    ['a byte that HTTP allows in no field', 'A: b\x01c\n\nhello'],
    ['a byte that HTTP allows in no phrase', 'Status: 200 \x01\n\nhello'],
    ['a head of more than 64 KiB', `A: ${'b'.repeat(70_000)}\n\nhello`],
  ])('%s', async (_title, output) => {
    const answer = await answerOf(output);
    expect(answer).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\nContent-Type: text\/plain/);
    expect(answer).not.toContain('hello');
  });

  test('another protocol, of which nothing more is read', async () => {
    const started = await beforeScript();
    const http = await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const connection = await started.application.connection();
    const { id } = await connection.request();
    connection.send(output(id, 'Status: 101 Switching Protocols\n\nhello'));
    await http.has(/^HTTP\/1\.1 502 /);
    expect(await connection.abort()).toBe(id);
  });
});
