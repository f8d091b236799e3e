// Applications that are not there, too late, or come back; the log; the end.

import { Application, HttpResponse } from '../../lib/app/index.ts';
import { accessLine, Gateway, Problem, type Access } from '../../lib/gateway/index.ts';
import { begin, send } from '../support/http.ts';
import { encodeStreamEnd, STDERR, streamBuffers } from '../../lib/protocol/index.ts';
import { gateways } from './gateways.ts';

const { address, before, beforeScript, raw, serve, start } = gateways();
const hello = new Application().fallback(() => 'hello');

describe('an application that is not there', () => {
  test('is a 502 that says what to do, as a page for a browser', async () => {
    const to = address();
    const { port, accesses } = await start(to);
    const answer = await send(port, { headers: { Accept: 'text/html,*/*' } });
    const { status, headers } = answer;
    expect({ status, type: headers['content-type'] }).toEqual({ status: 502, type: 'text/html; charset=utf-8' });
    expect(answer.body.toString()).toContain(`<p>Start one: postfork serve app.mjs --listen ${to}</p>`);
    expect(await accesses.next()).toMatchObject({ status: 502, bytes: answer.body.length, end: 'complete' });
  });

  test('and as text for a program', async () => {
    const to = address();
    const { port, lines } = await start(to);
    const { headers, body } = await send(port);
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(body.toString()).toContain(`There is no application at ${to}.\nStart one:`);
    expect(await lines.next()).toMatch(/^GET \/: There is no application at unix:.*is the application running\?\)$/);
  });

  test('HEAD gets the head of it', async () => {
    const started = await start(address());
    const http = await raw(started, 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect(await http.closed).toMatch(/^HTTP\/1\.1 502 [^]*Content-Length: \d+\r\n[^]*\r\n\r\n$/);
  });

  test('answers as soon as it is there', async () => {
    const to = address();
    const { port } = await start(to);
    expect(await send(port)).toMatchObject({ status: 502 });
    await serve(hello, to);
    expect(await send(port)).toMatchObject({ status: 200 });
  });

  test('nothing of a page can be HTML of the error', async () => {
    const { port } = await start(address(), { before: () => new Problem(500, '<b>', { detail: '"&<i>' }) });
    const { body } = await send(port, { headers: { Accept: 'text/html' } });
    expect(body.toString()).toContain('<p>&lt;b&gt;</p>\n<pre>&quot;&amp;&lt;i&gt;</pre>');
  });
});

test('after a restart of the application its new connections are used', async () => {
  const to = address();
  const first = await serve(hello, to);
  const { port } = await start(to);
  const ask = async (): Promise<string> => (await send(port)).body.toString();
  expect(await ask()).toBe('hello');
  await first.close({ timeout: 0 });
  await serve(
    new Application().fallback(() => 'again'),
    to,
  );
  expect(await ask()).toBe('again');
});

test('connections to the application are kept', async () => {
  const started = await beforeScript();
  started.application.serve(({ id }, connection) => connection.answer(id, 'Content-Length: 2\n\nok'));
  const http = await raw(started);
  for (const count of [1, 2, 3]) {
    http.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await http.has(new RegExp(`^(?:[^]*?\r\n\r\nok){${count}}$`));
    await started.accesses.next();
  }
  expect(started.application.connections).toHaveLength(1);
});

test('an application that does not begin its answer in time is a 504, and is told', async () => {
  const started = await beforeScript({ timeout: 50 });
  const answer = send(started.port);
  const connection = await started.application.connection();
  await connection.request();
  await connection.closed;
  const { status, body } = await answer;
  expect({ status, text: body.toString() }).toMatchObject({
    status: 504,
    text: expect.stringContaining('has not begun to answer within 50 ms') as string,
  });
});

test('an application that closes the connection without an answer is a 502', async () => {
  const started = await beforeScript();
  const answer = send(started.port, { method: 'POST', body: 'x' });
  const connection = await started.application.connection();
  await connection.request();
  connection.end();
  const { status, body } = await answer;
  expect({ status, text: body.toString() }).toMatchObject({
    status: 502,
    text: expect.stringContaining('has closed the connection without an answer') as string,
  });
});

test('beyond maxConnections requests wait for one', async () => {
  const started = await beforeScript({ maxConnections: 1 });
  const answers = [send(started.port, '/1'), send(started.port, '/2')];
  const connection = await started.application.connection();
  for (const text of ['first', 'second']) {
    const { id } = await connection.request();
    connection.answer(id, `A: b\n\n${text}`);
  }
  const bodies = (await Promise.all(answers)).map(({ body }) => body.toString());
  expect(bodies.toSorted()).toEqual(['first', 'second']);
  expect(started.application.connections).toHaveLength(1);
});

describe('STDERR of the application goes to the log, line by line', () => {
  test('beside an answer', async () => {
    const started = await beforeScript();
    started.application.serve(({ id }, connection) => {
      connection.send(...streamBuffers(STDERR, id, Buffer.from('one\ntwo\n')), encodeStreamEnd(STDERR, id));
      connection.answer(id, 'A: b\n\nx');
    });
    await send(started.port);
    expect([await started.lines.next(), await started.lines.next()]).toEqual(['one', 'two']);
  });

  test('and where there is none', async () => {
    const started = await beforeScript();
    started.application.serve(({ id }, connection) => {
      connection.send(...streamBuffers(STDERR, id, Buffer.from('PHP Fatal error')), encodeStreamEnd(STDERR, id));
      connection.answer(id, '', 1);
    });
    const { status, body } = await send(started.port);
    expect(status).toBe(502);
    expect(body.toString()).toContain('PHP Fatal error'); // on the page too
    expect(await started.lines.next()).toBe('PHP Fatal error');
    expect(await started.lines.next()).toMatch(/^GET \/: .*without any output \(appStatus 1\)/);
  });
});

describe('a line of the access log', () => {
  const access: Access = {
    time: new Date(2026, 0, 2, 3, 4, 5),
    remoteAddress: '127.0.0.1',
    method: 'GET',
    target: '/users/7?a=b',
    status: 200,
    bytes: 345,
    duration: 12.3,
    end: 'complete',
  };

  test('has what a person wants to know', () => {
    expect(accessLine(access)).toBe('03:04:05 GET /users/7?a=b 200 12 ms 345 B');
    expect(accessLine({ ...access, bytes: 1536, duration: 1.26, end: 'cut' })).toBe(
      '03:04:05 GET /users/7?a=b 200 1.3 ms 1.5 KiB (cut)',
    );
  });

  test('has colors for a terminal, and nothing of a client’s that commands it', () => {
    expect(accessLine({ ...access, status: 404 }, { color: true })).toContain(' \x1b[33m404\x1b[0m ');
    expect(accessLine({ ...access, target: '/\x1b[2J\x9b' })).toContain(' /\\x1b[2J\\x9b ');
  });

  test('comes once for each request, with the bytes of its body', async () => {
    const { port, accesses } = await before(new Application().fallback(() => 'x'.repeat(100_000)));
    await send(port, '/a?b');
    await send(port, { method: 'HEAD', path: '/c' });
    expect(await accesses.next()).toMatchObject({ method: 'GET', target: '/a?b', status: 200, bytes: 100_000 });
    expect(await accesses.next()).toMatchObject({ method: 'HEAD', target: '/c', status: 200, bytes: 0 });
    expect(accesses.size).toBe(0);
  });
});

describe('listening', () => {
  test('says where', async () => {
    const gateway = new Gateway({ to: 'unix:/nowhere' });
    const { host, port, url } = await gateway.listen({ port: 0 });
    expect({ host, url }).toEqual({ host: '127.0.0.1', url: `http://127.0.0.1:${port}/` });
    await gateway.close();
  });

  test('says what is wrong with a port that is taken', async () => {
    const { port } = await start('unix:/nowhere');
    const second = new Gateway({ to: 'unix:/nowhere' });
    await expect(second.listen({ port })).rejects.toThrow(`127.0.0.1:${port} is in use by another program`);
    await second.close();
  });

  test.each([{ to: '/run/app.sock' }, { to: 'unix:/x', timeout: 0 }, { to: 'unix:/x', maxChunkedBody: -1 }])(
    'refuses %j',
    (options) => {
      expect(() => new Gateway(options)).toThrow(/write unix:\/run\/app\.sock|is not a positive number/);
    },
  );
});

describe('close', () => {
  test('lets what runs end, and sends idle clients away', async () => {
    const started = await beforeScript();
    const idle = await raw(started);
    const running = await raw(started, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const connection = await started.application.connection();
    const { id } = await connection.request();
    const closed = started.gateway.close();
    expect(await idle.closed).toBe('');
    connection.answer(id, 'Content-Length: 3\n\nend');
    expect(await running.closed).toMatch(/\r\nConnection: close\r\n\r\nend$/);
    await closed;
    await expect(send(started.port)).rejects.toThrow(/ECONNREFUSED/);
  });

  test('cuts what takes too long', async () => {
    const application = new Application().fallback(
      () =>
        new HttpResponse(
          (async function* () {
            yield 'first';
            await new Promise(() => {});
          })(),
        ),
    );
    const { gateway, port } = await before(application);
    const answer = await begin(port);
    await answer.piece();
    await gateway.close({ timeout: 10 });
    expect(await answer.piece()).toBeUndefined();
    expect(answer.complete).toBe(false);
  });
});

test('what `before` says is the answer until it says nothing, and requests wait for it', async () => {
  let settle = (_problem: Problem | undefined): void => {};
  const problem = new Promise<Problem | undefined>((resolve) => (settle = resolve));
  const answers = [() => problem, () => undefined];
  const { port } = await before(hello, { before: () => answers.shift()?.() });
  const first = send(port);
  settle(new Problem(503, 'not yet'));
  expect(await first).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'cache-control': 'no-store' } });
  expect(await send(port)).toMatchObject({ status: 200 });
});
