// WIRE 31 to 38: the streams of a request (FastCGI 1.0, 3.3; 5.2; 5.3; 6.1; 6.2).

import { Application, HttpResponse } from '../../../lib/app/index.ts';
import type { Handler } from '../../../lib/server/index.ts';
import { acceptedSocket, paused } from '../../support/accepted-socket.ts';
import type { RawResponse } from '../../support/raw-client.ts';
import {
  begin,
  END,
  head,
  pairs,
  PARAMS,
  record,
  request,
  STDERR,
  STDIN,
  STDOUT,
  stream,
} from '../../support/raw-records.ts';
import { HEAD, ok, servers } from '../../support/servers.ts';

const { start, calls } = servers();
const keep = true;

describe('31 (5.2, 6.2) output', () => {
  test('may start before STDIN has ended', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(head({ keep, stdin: 'abc' }));
    const { request: incoming, response } = await played.next();
    response.start(HEAD);
    response.write('first ');
    await client.record(STDOUT, 1);
    await client.send(stream(STDIN, 1, 'abc'));
    response.write(await incoming.stdin.bytes(10));
    response.end();
    expect((await client.response()).body).toBe('first abc');
  });

  test('never starts before PARAMS have ended, of a request that is refused neither', async () => {
    const client = await (await start({ responder: ok, maxParamsBytes: 100 })).connect();
    await client.send(Buffer.concat([begin(1, { keep }), record(PARAMS, 1, pairs({ A: 'x'.repeat(200) }))]));
    await client.send(Buffer.concat([begin(2, { keep }), record(PARAMS, 2, pairs({ A: 'x' }))]));
    await client.sync();
    expect(client.records.filter(({ id }) => id !== 0)).toEqual([]);
    await client.send(Buffer.concat([record(PARAMS, 1), record(PARAMS, 2)]));
    expect((await client.response(1)).status).toBe(431);
    expect((await client.response(2)).body).toBe('ok');
  });
});

describe('32 (5.3) STDIN', () => {
  test.each([
    ['in no record but its end', ''],
    ['in one', 'abc'],
    ['in three', 'a,b,c'],
  ])('%s', async (_title, pieces) => {
    const client = await (await start()).connect();
    const parts = pieces.split(',').filter((piece) => piece !== '');
    const body = parts.join('');
    const stdin = [...parts.map((piece) => record(STDIN, 1, piece)), record(STDIN, 1)];
    await client.send(Buffer.concat([head({ keep, stdin: body }), ...stdin]));
    expect((await client.response()).body.trim()).toBe(`${body ? 'POST' : 'GET'} / ${body}`.trim());
  });

  test('behind its end is ignored', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(
      Buffer.concat([
        head({ keep, params: { REQUEST_METHOD: 'POST' } }),
        stream(STDIN, 1, 'abc'),
        stream(STDIN, 1, 'def'),
      ]),
    );
    const { request: incoming, response } = await played.next();
    response.send(HEAD, await incoming.stdin.bytes(100));
    expect((await client.response()).body).toBe('abc');
  });

  test('before the end of PARAMS closes the connection', async () => {
    const running = await start();
    const client = await running.connect();
    await client.send(Buffer.concat([begin(1, { keep }), record(STDIN, 1, 'x')]));
    await client.closed;
    expect(running.log.map(({ fields }) => fields.code)).toContain('BAD_ORDER');
  });
});

describe('33 (6.2) CONTENT_LENGTH and STDIN', () => {
  const answer = async (given: string | undefined, stdin: string): Promise<RawResponse> => {
    const client = await (await start()).connect();
    const params = { REQUEST_METHOD: 'POST', ...(given !== undefined && { CONTENT_LENGTH: given }) };
    await client.send(Buffer.concat([head({ keep, params }), stream(STDIN, 1, stdin)]));
    return client.response();
  };

  test.each([
    ['5', '12345', '12345'],
    ['5', '1234567', '12345'],
    ['0', '12345', ''],
    ['5', '1234', 'BODY_TRUNCATED'],
    ['5', '', 'BODY_TRUNCATED'],
    [undefined, '12345', '12345'],
    [undefined, '', ''],
    ['', '12345', '12345'], // nginx
    ['-1', '12345', '12345'], // Caddy, chunked
    ['999999999999999', '12345', 'BODY_TOO_LARGE'],
  ])('%p with STDIN %p: %p', async (given, stdin, expected) => {
    expect((await answer(given, stdin)).body).toBe(`POST / ${expected}`);
  });

  test.each(['five', '5x', '0x5', '-5', '+5', ' 5', '5.0', '1e3', '9'.repeat(16), '5,6'])(
    '%p is no length: 400',
    async (given) => {
      expect((await answer(given, '12345')).status).toBe(400);
    },
  );

  test('sent twice: one number is that number, two are 400', async () => {
    const client = await (await start()).connect();
    const twice = (second: string): Buffer =>
      request({
        keep,
        stdin: '12345',
        params: [
          ['CONTENT_LENGTH', '5'],
          ['CONTENT_LENGTH', second],
        ],
      });
    await client.send(twice('5'));
    expect((await client.response()).body).toBe('GET / 12345'.replace('GET', 'POST'));
    await client.send(twice('6'));
    expect((await client.response()).status).toBe(400);
  });

  test.each([
    ['5', 5, '12345'],
    ['5', 4, 'BODY_TOO_LARGE'],
    ['', 5, '12345'],
    ['', 4, 'BODY_TOO_LARGE'],
  ])('CONTENT_LENGTH %p, 5 bytes, read with a bound of %i: %s', async (given, bound, expected) => {
    const responder: Handler = async ({ stdin }, response) => {
      const body = await stdin.bytes(bound).catch((error: { code: string }) => error.code);
      response.send(HEAD, body.toString());
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep, stdin: '12345', params: { CONTENT_LENGTH: given } }));
    expect((await client.response()).body).toBe(expected);
  });

  test('a body that is cut is an error behind its pieces, for one who reads piece by piece', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    await client.send(Buffer.concat([head({ keep, stdin: '123456' }), record(STDIN, 1, '123')]));
    const { stdin } = (await played.next()).request;
    expect((await stdin.read())?.toString()).toBe('123');
    const rest = stdin.read();
    await client.send(record(STDIN, 1));
    await expect(rest).rejects.toMatchObject({ name: 'RequestError', code: 'BODY_TRUNCATED' });
    await expect(stdin.read()).rejects.toMatchObject({ code: 'BODY_TRUNCATED' });
  });

  test('the end of the body is known at CONTENT_LENGTH, before the record that ends STDIN', async () => {
    const client = await (await start()).connect();
    await client.send(Buffer.concat([head({ keep, stdin: 'abc' }), record(STDIN, 1, 'abc')]));
    expect((await client.response()).body).toBe('POST / abc');
  });
});

describe('34 a handler that never reads STDIN', () => {
  test.each(['unix', 'tcp'] as const)(
    'is answered over %s, the rest is dropped, the next request works',
    async (transport) => {
      const client = await (await start({ responder: ok }, transport)).connect();
      const megabytes = 'x'.repeat(8 * 1024 * 1024);
      for (let i = 0; i < 2; i++) {
        await client.send(request({ keep, stdin: megabytes }));
        expect((await client.response()).body).toBe('ok');
      }
      await client.send(request({ keep }));
      expect((await client.response()).body).toBe('ok');
    },
  );

  test('whose answer is large is answered too, though the web server reads only after it has sent all', async () => {
    const body = Buffer.alloc(4 * 1024 * 1024, 'x');
    const played = calls();
    const running = await start({ responder: played.handler, inputWindow: 65_536 });
    const accepted = acceptedSocket();
    const client = await running.connect();
    client.socket.pause();
    const sent = client.send(request({ keep, stdin: Buffer.alloc(8 * 1024 * 1024) }));
    const { response } = await played.next();
    await paused(await accepted);
    response.send(HEAD, body);
    await sent;
    client.socket.resume();
    expect((await client.response()).body.length).toBe(body.length);
  });
});

describe('35 backpressure', () => {
  test('a slow handler that is alone on its connection: reading stops at the window, and goes on', async () => {
    const played = calls();
    const inputWindow = 128 * 1024;
    const running = await start({ responder: played.handler, inputWindow });
    const accepted = acceptedSocket();
    const client = await running.connect();
    const body = Buffer.alloc(16 * 1024 * 1024);
    for (let at = 0; at < body.length; at += 4) body.writeUInt32BE(at, at);
    const sent = client.send(request({ stdin: body }));
    const { request: incoming, response } = await played.next();
    const socket = await accepted;
    await paused(socket);
    const chunk = 64 * 1024;
    expect(socket.bytesRead).toBeGreaterThanOrEqual(inputWindow);
    expect(socket.bytesRead).toBeLessThanOrEqual(inputWindow + 2 * chunk);
    let at = 0;
    for await (const piece of incoming.stdin) {
      expect(piece.equals(body.subarray(at, at + piece.length))).toBe(true);
      at += piece.length;
      expect(socket.bytesRead - at).toBeLessThanOrEqual(inputWindow + 3 * chunk);
    }
    await sent;
    expect(at).toBe(body.length);
    response.send(HEAD, 'got it');
    expect((await client.response()).body).toBe('got it');
  });

  test('a web server that takes nothing: `write` says so, and `drained` waits until it takes', async () => {
    const played = calls();
    const outputBuffer = 100_000;
    const client = await (await start({ responder: played.handler, outputBuffer })).connect();
    client.socket.pause();
    await client.send(request({ keep }));
    const { response, finish } = await played.next();
    response.start(HEAD);
    const piece = Buffer.alloc(50_000, 'x');
    let pieces = 1;
    while (response.write(piece)) {
      pieces += 1;
      await new Promise(setImmediate);
      if (pieces > 1000) throw new Error('write never asked to wait');
    }
    let room = false;
    const drained = response.drained().then(() => (room = true));
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
    expect(room).toBe(false);
    client.socket.resume();
    await drained;
    response.end();
    finish();
    expect((await client.response()).body.length).toBe(pieces * piece.length);
  });

  test('`drained` waits no longer than the request is aborted', async () => {
    const played = calls();
    const client = await (await start({ responder: played.handler })).connect();
    client.socket.pause();
    await client.send(request({ keep }));
    const { request: incoming, response, finish } = await played.next();
    response.start(HEAD);
    response.write(Buffer.alloc(8 * 1024 * 1024));
    const drained = response.drained();
    await client.send(record(2, 1));
    await drained;
    expect([incoming.aborted, response.over]).toEqual([true, true]);
    finish();
    client.socket.resume();
    expect((await client.response()).protocolStatus).toBe(0);
  });
});

describe('36 (6.1) STDOUT and STDERR', () => {
  const types = (response: RawResponse): number[] => response.records.map(({ type }) => type);
  /** The streams that were ended, in order. */
  const ended = ({ records }: RawResponse): number[] =>
    records.filter(({ type, content }) => type !== END && content.length === 0).map(({ type }) => type);

  const answers: [string, Handler, number[]][] = [
    ['nothing at all', (_request, response) => response.end(), [STDOUT, END]],
    ['a head only', (_request, response) => response.send(HEAD, ''), [STDOUT, STDOUT, END]],
    ['text', (_request, response) => response.send(HEAD, 'text'), [STDOUT, STDOUT, END]],
    ['bytes', (_request, response) => response.send(HEAD, Buffer.from('text')), [STDOUT, STDOUT, END]],
    [
      'STDERR and text',
      (_request, response) => {
        response.stderr('oh');
        response.send(HEAD, 'text');
      },
      [STDERR, STDOUT, STDERR, STDOUT, END],
    ],
    [
      'STDERR between pieces',
      (_request, response) => {
        response.start(HEAD);
        response.stderr('oh');
        response.write('text');
        response.stderr('no');
        response.end();
      },
      [STDOUT, STDERR, STDOUT, STDERR, STDERR, STDOUT, END],
    ],
    [
      'an empty message',
      (_request, response) => {
        response.stderr('');
        response.send(HEAD, 'text');
      },
      [STDOUT, STDOUT, END],
    ],
  ];

  test.each(answers)(
    '%s: streams that were used are ended, STDOUT always, END_REQUEST is last',
    async (_title, responder, expected) => {
      const client = await (await start({ responder })).connect();
      await client.send(request({ keep }));
      const response = await client.response();
      expect(types(response)).toEqual(expected);
      expect(ended(response)).toEqual(expected.includes(STDERR) ? [STDERR, STDOUT] : [STDOUT]);
    },
  );
});

describe('37 (6.1, 6.2; RFC 3875) the CGI response of an application', () => {
  const application = (): Application =>
    new Application()
      .get('/plain', () => 'text')
      .get('/injected', () => new HttpResponse('x', { headers: { 'X-A': 'b\r\nX-Injected: yes' } }))
      .get(
        '/hop',
        () =>
          new HttpResponse('x', {
            headers: { 'Transfer-Encoding': 'chunked', Connection: 'close', 'Keep-Alive': '5' },
          }),
      )
      .get('/cookies', () => {
        const response = HttpResponse.text('x');
        response.headers.append('Set-Cookie', 'a=1');
        response.headers.append('Set-Cookie', 'b=2');
        return response;
      })
      .get('/local', () => new HttpResponse(undefined, { status: 302, headers: { Location: '/plain?x=1' } }))
      .get('/empty', () => new HttpResponse(undefined, { status: 204 }))
      .get('/same', () => new HttpResponse(undefined, { status: 304, headers: { ETag: '"x"' } }))
      .get('/early', () => new HttpResponse('x', { status: 103 }))
      .get('/none', () => new HttpResponse('x', { status: 42 }))
      .get('/large-head', () => new HttpResponse('x', { headers: { 'X-A': 'x'.repeat(20_000) } }));

  async function answer(uri: string, method = 'GET'): Promise<RawResponse> {
    const client = await (await start(application().handlers())).connect();
    await client.send(request({ keep, params: { REQUEST_URI: uri, REQUEST_METHOD: method } }));
    const response = await client.response();
    const lines = response.stdout.slice(0, -response.body.length || undefined).split('\r\n');
    expect(lines[0]).toMatch(/^Status: [2-5]\d\d \S/); // no NPH, never 1xx
    expect(lines.slice(-2)).toEqual(['', '']);
    expect(lines.slice(1, -2).every((line) => /^[!-9;-~]+: [^\r\n\0]*$/.test(line))).toBe(true);
    expect(response.stdout).not.toMatch(/\n(Transfer-Encoding|Connection|Keep-Alive|Upgrade|Trailer):/i);
    return response;
  }

  test('has Status, Content-Type, Content-Length and an empty line', async () => {
    expect((await answer('/plain')).stdout).toMatch(
      /^Status: 200 OK\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Length: 4\r\n\r\ntext$/,
    );
  });

  test('refuses what would inject a header', async () => {
    const { status, stdout } = await answer('/injected');
    expect(status).toBe(500);
    expect(stdout).not.toContain('Injected');
  });

  test('leaves out what is between the web server and its client', async () => {
    expect((await answer('/hop')).body).toBe('x');
  });

  test('repeats Set-Cookie', async () => {
    expect((await answer('/cookies')).stdout).toMatch(/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n/);
  });

  test('gives Location as it is, with its Status', async () => {
    expect((await answer('/local')).stdout).toMatch(/^Status: 302 Found\r\n(.*\r\n)*Location: \/plain\?x=1\r\n/);
  });

  test.each([
    ['/empty', 'GET', 204],
    ['/same', 'GET', 304],
    ['/plain', 'HEAD', 200],
  ])('has no body for %s %s: %i', async (uri, method, status) => {
    expect(await answer(uri, method)).toMatchObject({ status, body: '' });
  });

  test.each(['/early', '/none', '/large-head'])('is a complete 500 for %s', async (uri) => {
    expect(await answer(uri)).toMatchObject({ status: 500, appStatus: 1, protocolStatus: 0 });
  });
});

describe('38 the pieces of an answer', () => {
  test.each([65_527, 65_528, 65_529, 65_535, 65_536, 131_056, 1_000_000])(
    '%i bytes arrive as they are, however they are given',
    async (size) => {
      const body = Buffer.alloc(size);
      for (let i = 0; i < size; i++) body[i] = (i * 7 + (i >> 8)) & 255;
      const text = body.toString('latin1');
      const responder: Handler = (incoming, response) => {
        if (incoming.id === 1) response.send(HEAD, body);
        else if (incoming.id === 2) response.send(HEAD, text);
        else {
          response.start(HEAD);
          response.write(incoming.id === 3 ? body : text);
          response.end();
        }
      };
      const client = await (await start({ responder })).connect();
      await client.send(Buffer.concat([1, 2, 3, 4].map((id) => request({ id, keep }))));
      for (const id of [1, 2, 3, 4]) expect((await client.response(id)).body === text).toBe(true);
    },
  );

  test('empty pieces do not end the stream', async () => {
    const responder: Handler = (_request, response) => {
      response.start(HEAD);
      for (const piece of ['', 'a', Buffer.alloc(0), 'b', '']) response.write(piece);
      response.end();
    };
    const client = await (await start({ responder })).connect();
    await client.send(request({ keep }));
    const { body, records } = await client.response();
    expect(body).toBe('ab');
    expect(records.filter(({ type, content }) => type === STDOUT && content.length === 0).length).toBe(1);
  });

  test('what looks like records inside of a body stays a body', async () => {
    const fake = Buffer.concat([record(STDOUT, 1), record(END, 1, '\0'.repeat(8)), request()]);
    const body = Buffer.concat(Array.from({ length: 2000 }, () => fake));
    const client = await (await start({ responder: (_request, response) => response.send(HEAD, body) })).connect();
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe(body.toString('latin1'));
  });

  test('the bytes of an Uint8Array that is a window on others', async () => {
    const all = new Uint8Array(Buffer.from('abcdef'));
    const client = await (
      await start({ responder: (_request, response) => response.send(HEAD, all.subarray(2, 4)) })
    ).connect();
    await client.send(request({ keep }));
    expect((await client.response()).body).toBe('cd');
  });
});
