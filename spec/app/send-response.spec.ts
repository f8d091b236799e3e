// What becomes of a response on its way to the web server.

import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { Application, HttpResponse, type Answer, type InjectedResponse } from '../../lib/app/index.ts';
import { got_request_exception } from '../../lib/signals/index.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder();

/** The response to a request that a handler answers so. */
function sent(answer: () => Answer | Promise<Answer>, method = 'GET', signal?: AbortSignal): Promise<InjectedResponse> {
  const application = new Application().get('/', answer);
  return application.inject({ method, ...(signal && { signal }) });
}

/** Status, Content-Type, Content-Length, body. */
const seen = (response: InjectedResponse): unknown[] => [
  response.status,
  response.header('Content-Type'),
  response.header('Content-Length'),
  response.text(),
];

async function* pieces(...all: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  yield* all;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const PLAIN = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';

describe('what a handler returns', () => {
  test.each<[string, () => Answer, unknown[]]>([
    ['text', () => 'ok', [200, PLAIN, '2', 'ok']],
    ['text that looks like a page is no page', () => '<script>', [200, PLAIN, '8', '<script>']],
    ['text beyond ASCII, its length in bytes', () => 'caf\u00e9 \u{1f600}', [200, PLAIN, '10', 'caf\u00e9 \u{1f600}']],
    ['text in latin1', () => '\u00ff'.repeat(3), [200, PLAIN, '6', '\u00ff\u00ff\u00ff']],
    ['empty text', () => '', [200, PLAIN, '0', '']],
    ['bytes', () => Buffer.from('ok'), [200, BYTES, '2', 'ok']],
    ['a part of other bytes', () => new Uint8Array(Buffer.from('xokx')).subarray(1, 3), [200, BYTES, '2', 'ok']],
    ['an object', () => ({ a: 'b' }), [200, 'application/json', '9', '{"a":"b"}']],
    ['a list', () => [1, 2], [200, 'application/json', '5', '[1,2]']],
    ['a stream', () => pieces('a', Buffer.from('b'), '', '\u00e9'), [200, BYTES, undefined, 'ab\u00e9']],
    ['a Node stream', () => Readable.from(['a', 'b']), [200, BYTES, undefined, 'ab']],
    ['a response without a type', () => new HttpResponse('<p>'), [200, PLAIN, '3', '<p>']],
    ['a response with its own', () => HttpResponse.html('<p>'), [200, 'text/html; charset=utf-8', '3', '<p>']],
    ['a response without a body', () => new HttpResponse(), [200, undefined, '0', '']],
    ['a response with null', () => new HttpResponse(null as unknown as undefined), [200, undefined, '0', '']],
    ['a web-standard Response', () => new Response('ok'), [200, 'text/plain;charset=UTF-8', undefined, 'ok']],
    ['one without a body', () => new Response(null, { status: 404 }), [404, undefined, '0', '']],
    ['one of JSON', () => Response.json([1], { status: 201 }), [201, 'application/json', undefined, '[1]']],
  ])('%s', async (_what, answer, expected) => {
    const response = await sent(answer);
    expect(seen(response)).toEqual(expected);
    expect([response.cut, response.stderr]).toEqual([false, '']);
  });

  test("a web-standard Response's headers, cookies one by one", async () => {
    const headers = new Headers({ 'X-A': 'b', Connection: 'close' });
    headers.append('Set-Cookie', 'c=1');
    headers.append('Set-Cookie', 'd=2');
    const response = await sent(() => new Response('ok', { headers }));
    expect(response.headers.filter(([name]) => name !== 'content-type')).toEqual([
      ['set-cookie', 'c=1'],
      ['set-cookie', 'd=2'],
      ['x-a', 'b'],
    ]);
  });

  test('a web-standard Response that has been read is an error, not an empty answer', async () => {
    const used = new Response('ok');
    await used.text();
    expect((await sent(() => used)).status).toBe(500);
  });

  test('the same response again and again is the same', async () => {
    const constant = HttpResponse.text('caf\u00e9', { headers: { 'X-A': 'b' } });
    const application = new Application().get('/', () => constant);
    for (const method of ['HEAD', 'GET', 'GET', 'HEAD']) {
      const { headers } = await application.inject({ method });
      expect(headers).toEqual([
        ['Content-Type', PLAIN],
        ['X-A', 'b'],
        ['Content-Length', '5'],
      ]);
    }
  });
});

describe('Content-Length', () => {
  test.each([['5'], ['0'], ['100'], ['x']])('of a whole body is the truth, not %s', async (length) => {
    const response = await sent(() => HttpResponse.text('ok', { headers: { 'Content-Length': length } }));
    expect(response.headers.filter(([name]) => name === 'Content-Length')).toEqual([['Content-Length', '2']]);
  });

  test('of a stream is what the handler says', async () => {
    const response = await sent(() => HttpResponse.stream(pieces('a', 'b'), { headers: { 'Content-Length': 2 } }));
    expect([response.header('Content-Length'), response.text(), response.cut]).toEqual(['2', 'ab', false]);
  });

  test.each([
    ['more', pieces('ab', 'cd'), 'ab'],
    ['less', pieces('a', 'b'), 'ab'],
    ['nothing', pieces(), ''],
  ])('of a stream that has %s: the answer is cut, and never longer', async (_what, body, text) => {
    const response = await sent(() => HttpResponse.stream(body, { headers: { 'Content-Length': 3 } }));
    expect([response.header('Content-Length'), response.text(), response.cut]).toEqual(['3', text, true]);
    expect(response.stderr).toMatch(/than the 3 bytes of its Content-Length/);
  });

  test.each(['x', '-1', '1.5', '', '1, 1', '0x1'])('of a stream is refused where it is %j', async (length) => {
    const response = await sent(() => HttpResponse.stream(pieces('a'), { headers: { 'Content-Length': length } }));
    expect(response.status).toBe(500);
  });

  test('of a stream is refused where it is given twice', async () => {
    const headers: [string, string][] = [
      ['Content-Length', '1'],
      ['content-length', '2'],
    ];
    expect((await sent(() => HttpResponse.stream(pieces('a'), { headers }))).status).toBe(500);
  });
});

describe('HEAD', () => {
  test('has the head of GET and no body', async () => {
    for (const answer of [
      () => 'caf\u00e9',
      () => ({ a: 'b' }),
      () => Buffer.from('ok'),
      () => HttpResponse.html('<p>'),
    ]) {
      const [head, get] = [await sent(answer, 'HEAD'), await sent(answer)];
      expect(head.headers).toEqual(get.headers);
      expect([head.status, head.text(), get.text()]).toEqual([200, '', expect.stringMatching(/./)]);
    }
  });

  test('may say the length of a body that the handler did not make', async () => {
    const response = await sent(() => new HttpResponse(undefined, { headers: { 'Content-Length': 1234 } }), 'HEAD');
    expect([response.header('Content-Length'), response.text()]).toEqual(['1234', '']);
  });

  test('is what the client sent, whatever middleware made of the method', async () => {
    const application = new Application().route('PUT', '/', () => 'put').get('/', () => 'got');
    application.use((request, next) => {
      request.method = request.header('X-Method') ?? request.method;
      return next(request);
    });
    const asGet = await application.inject({ method: 'HEAD', headers: { 'X-Method': 'GET' } });
    expect([asGet.status, asGet.header('Content-Length'), asGet.text()]).toEqual([200, '3', '']);
    const asHead = await application.inject({ method: 'POST', headers: { 'X-Method': 'HEAD' } });
    expect([asHead.status, asHead.header('Content-Length'), asHead.text()]).toEqual([200, '3', 'got']);
    const asPut = await application.inject({ method: 'POST', headers: { 'X-Method': 'PUT' } });
    expect(asPut.text()).toBe('put');
  });
});

describe('204 and 304 have no body, no length', () => {
  test.each([204, 304])('%i', async (status) => {
    const headers = { 'Content-Type': 'text/css', 'Content-Length': 2, ETag: '"x"' };
    const response = await sent(() => new HttpResponse('no', { status, headers }));
    expect([response.status, response.text()]).toEqual([status, '']);
    expect(response.header('Content-Length')).toBeUndefined();
    expect(response.header('Content-Type')).toBe(status === 204 ? undefined : 'text/css');
    expect(response.header('ETag')).toBe('"x"');
  });
});

describe('a stream that is not wanted is given back', () => {
  const UNWANTED: [string, (body: Answer) => Promise<unknown>][] = [
    ['by HEAD', (body) => sent(() => body, 'HEAD')],
    ['by 204', (body) => sent(() => withStatus(body, 204))],
    ['by 304', (body) => sent(() => withStatus(body, 304))],
    ['by a status that is none', (body) => sent(() => withStatus(body, 700))],
    [
      'by a client that has gone',
      (body) => sent(() => body, 'GET', AbortSignal.abort(new Error('gone'))).catch(() => undefined),
    ],
  ];
  const withStatus = (body: Answer, status: number): HttpResponse => new HttpResponse(body as Readable, { status });

  test.each(UNWANTED)('a file: %s', async (_why, unwanted) => {
    await writeFile(folder.join('file'), 'content');
    const file = createReadStream(folder.join('file'));
    const closed = new Promise<void>((resolve) => file.once('close', () => resolve()));
    await unwanted(file);
    await closed;
    expect(file.destroyed).toBe(true);
  });

  test.each(UNWANTED)('a file that does not exist, without harm: %s', async (_why, unwanted) => {
    const file = createReadStream(folder.join('none'));
    const closed = new Promise<void>((resolve) => file.once('close', () => resolve()));
    await unwanted(file);
    await closed; // an error that nobody hears would fail this test
    expect(file.destroyed).toBe(true);
  });

  test.each(UNWANTED)('a web stream: %s', async (_why, unwanted) => {
    const cancelled = jest.fn();
    await unwanted(new ReadableStream({ cancel: cancelled }) as unknown as Answer);
    expect(cancelled).toHaveBeenCalledTimes(1);
  });
});

describe('a stream whose client goes away', () => {
  test.each<[string, (onEnd: () => void) => Answer]>([
    [
      'a Node stream',
      (onEnd) => {
        const stream = new Readable({ read() {} });
        stream.push('first');
        return stream.once('close', onEnd);
      },
    ],
    [
      'a web stream',
      (onEnd) =>
        new ReadableStream({
          start: (controller) => controller.enqueue(Buffer.from('first')),
          cancel: onEnd,
        }) as unknown as Answer,
    ],
  ])('is given back at once, although it is silent: %s', async (_what, make) => {
    const abort = new AbortController();
    const ended = new Promise<void>((resolve) => {
      const application = new Application().get('/', () => make(resolve));
      application.inject({ signal: abort.signal }).then(nothing, nothing);
    });
    await turn();
    await turn();
    abort.abort(new Error('gone'));
    await expect(ended).resolves.toBeUndefined();
  });

  test('a generator gets to its end when it goes on', async () => {
    const abort = new AbortController();
    const events: string[] = [];
    const ended = new Promise<void>((resolve) => {
      async function* body(): AsyncGenerator<string> {
        try {
          for (;;) {
            events.push('piece');
            yield 'piece';
            await turn();
          }
        } finally {
          resolve();
        }
      }
      new Application()
        .get('/', () => body())
        .inject({ signal: abort.signal })
        .then(nothing, nothing);
    });
    await turn();
    abort.abort(new Error('gone'));
    await ended;
    const { length } = events;
    await turn();
    expect(events).toHaveLength(length);
  });
});

describe('a stream that breaks off', () => {
  test.each<[string, () => Answer]>([
    [
      'a generator',
      () =>
        (async function* (): AsyncGenerator<string> {
          yield 'begun';
          throw new Error('broken');
        })(),
    ],
    [
      'a Node stream',
      () => {
        const stream = new Readable({ read() {} });
        stream.push('begun');
        setImmediate(() => stream.destroy(new Error('broken')));
        return stream;
      },
    ],
    ['pieces that are none', () => Readable.from(['begun', 7])],
  ])('is cut, told to the web server and to got_request_exception: %s', async (_what, answer) => {
    const exceptions: unknown[] = [];
    const application = new Application().get('/', answer);
    const hear = ({ error }: { error: unknown }): unknown => exceptions.push(error);
    got_request_exception.connect(hear, { sender: application });
    const response = await application.inject('/');
    got_request_exception.disconnect(hear, { sender: application });
    expect([response.status, response.text(), response.cut]).toEqual([200, 'begun', true]);
    expect(response.stderr).toMatch(/^the body of an answer broke off: /);
    expect(exceptions).toHaveLength(1);
  });
});

describe('what cannot be sent is a plain 500', () => {
  test.each<[string, () => HttpResponse]>([
    ['a status that is none', () => new HttpResponse('x', { status: 700 })],
    ['an interim status', () => new HttpResponse('x', { status: 103 })],
    ['no status', () => new HttpResponse('x', { status: NaN })],
    ['a head over 8 KiB', () => new HttpResponse('x', { headers: { 'X-A': 'b'.repeat(8192) } })],
    ['a number as a body', () => new HttpResponse(7 as unknown as string)],
    ['an object as a body', () => new HttpResponse({ a: 'b' } as unknown as string)],
    ['an ArrayBuffer as a body', () => new HttpResponse(new ArrayBuffer(2) as unknown as string)],
    ['a list as a body', () => new HttpResponse(['a'] as unknown as string)],
  ])('%s', async (_what, answer) => {
    const response = await sent(answer);
    expect(seen(response)).toEqual([500, PLAIN, '26', '500 Internal Server Error\n']);
    expect(response.stderr).toMatch(/GET \/: the answer cannot be sent: ./);
  });
});

const nothing = (): void => {};

test('maxHeadBytes bounds the head, and what is over it is a 500', async () => {
  const app = new Application({ maxHeadBytes: 20_000 });
  app.get('/:bytes', (request) =>
    HttpResponse.text('', { headers: { 'X-Long': 'x'.repeat(Number(request.params['bytes'])) } }),
  );
  expect((await app.inject('/19000')).status).toBe(200);
  expect((await app.inject('/20000')).status).toBe(500);
});
