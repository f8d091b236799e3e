// What web-standard handlers return, as the client gets it.

import { Readable } from 'node:stream';
import fc from 'fast-check';
import { Application, HttpResponse, type InjectedResponse } from '../../../lib/app/index.ts';
import { fromFetch } from '../../../lib/adapters/fetch/index.ts';
import { got_request_exception } from '../../../lib/signals/index.ts';

const answered = (returned: () => unknown, method = 'GET'): Promise<InjectedResponse> =>
  new Application().fallback(fromFetch(returned as () => Response)).inject({ method });

/** A stream of pieces, each when it is asked for, and whether it was cancelled. */
function streaming(...pieces: (string | Error)[]): { stream: ReadableStream<Uint8Array>; cancelled: () => unknown } {
  let reason: unknown;
  const stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        await new Promise(setImmediate);
        const piece = pieces.shift();
        if (piece === undefined) controller.close();
        else if (typeof piece === 'string') controller.enqueue(Buffer.from(piece));
        else controller.error(piece);
      },
      cancel(why) {
        reason = why ?? 'cancelled';
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, cancelled: () => reason };
}

describe('a body that is there is sent whole, with its length and no type that was not given', () => {
  test.each<[what: string, answer: () => Response, type: string | undefined, length: number]>([
    ['text', () => new Response('caf\u00e9'), 'text/plain;charset=UTF-8', 5],
    ['JSON', () => Response.json({ a: 1 }), 'application/json', 7],
    ['bytes', () => new Response(new Uint8Array(100_000)), undefined, 100_000],
    ['a buffer', () => new Response(new ArrayBuffer(3)), undefined, 3],
    ['a form', () => new Response(new URLSearchParams('a=b')), 'application/x-www-form-urlencoded;charset=UTF-8', 3],
    ['no text', () => new Response(''), 'text/plain;charset=UTF-8', 0],
    ['nothing', () => new Response(), undefined, 0],
    ['a copy', () => new Response('text').clone(), 'text/plain;charset=UTF-8', 4],
    ['one made of another', () => new Response(new Response('text').body, { status: 200 }), undefined, 4],
  ])('%s', async (_what, answer, type, length) => {
    for (const method of ['GET', 'HEAD']) {
      const response = await answered(answer, method);
      expect(response.status).toBe(200);
      expect(response.header('Content-Type')).toBe(type);
      expect(response.header('Content-Length')).toBe(String(length));
      expect(response.body).toHaveLength(method === 'HEAD' ? 0 : length);
    }
  });

  test('what others have put in a stream and closed, too', async () => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('all'));
        controller.close();
      },
    });
    const response = await answered(() => new Response(stream));
    expect([response.header('Content-Length'), response.text()]).toEqual(['3', 'all']);
  });

  test('whatever it is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 200, max: 599 }), async (bytes, status) => {
        const bodyless = [204, 205, 304].includes(status);
        const response = await answered(() => new Response(bodyless ? null : bytes, { status }));
        expect(response.status).toBe(status);
        expect(response.body.equals(Buffer.from(bodyless ? [] : bytes))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe('a body that comes in pieces', () => {
  test('is streamed, with no length made up', async () => {
    const response = await answered(() => new Response(streaming('a', 'b', 'c').stream));
    expect([response.status, response.text(), response.cut]).toEqual([200, 'abc', false]);
    expect(response.header('Content-Length')).toBeUndefined();
  });

  test('of which some are there already is whole in its order', async () => {
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const piece of ['a', 'b', 'c', 'd', 'e']) controller.enqueue(Buffer.from(piece));
        setImmediate(() => {
          controller.enqueue(Buffer.from('f'));
          controller.close();
        });
      },
    });
    expect((await answered(() => new Response(stream))).text()).toBe('abcdef');
  });

  test('is streamed from a file of the platform, and from a form', async () => {
    const file = await answered(() => new Response(new Blob(['a'.repeat(100_000)], { type: 'text/x' })));
    expect([file.body.length, file.header('Content-Type')]).toEqual([100_000, 'text/x']);
    const data = new FormData();
    data.set('name', 'value');
    const form = await answered(() => new Response(data));
    const read = await new Response(form.body, {
      headers: { 'Content-Type': form.header('Content-Type') ?? '' },
    }).formData();
    expect([...read]).toEqual([['name', 'value']]);
  });

  test('is cancelled where the client asks for the head only', async () => {
    const { stream, cancelled } = streaming('a', 'b');
    const response = await answered(() => new Response(stream, { headers: { 'Content-Length': '2' } }), 'HEAD');
    expect([response.header('Content-Length'), response.body.length, cancelled()]).toEqual(['2', 0, 'cancelled']);
  });

  test('is cancelled where a layer makes of it an answer without one', async () => {
    const { stream, cancelled } = streaming('a', 'b');
    const application = new Application()
      .use(async (request, next) => {
        const response = await next(request);
        response.status = 304;
        return response;
      })
      .fallback(fromFetch(() => new Response(stream)));
    expect((await application.inject('/')).status).toBe(304);
    expect(cancelled()).toBe('cancelled');
  });

  test('that errs before its first piece is a 500, after it a cut', async () => {
    const errors: unknown[] = [];
    const application = new Application().get(
      '/:at',
      fromFetch((request: Request) => {
        const pieces = request.url.endsWith('/0') ? [] : ['a', 'b'];
        const failed = new ReadableStream<Uint8Array>({
          start(controller) {
            if (pieces.length === 0) controller.error(new Error('at once'));
          },
          async pull(controller) {
            await new Promise(setImmediate);
            const piece = pieces.shift();
            if (piece === undefined) controller.error(new Error('later'));
            else controller.enqueue(Buffer.from(piece));
          },
        });
        return new Response(failed);
      }),
    );
    const onException = ({ error }: { error: unknown }): void => void errors.push((error as Error).message);
    got_request_exception.connect(onException, { sender: application });
    const first = await application.inject('/0');
    const second = await application.inject('/2');
    expect([first.status, first.cut]).toEqual([500, false]);
    expect([second.status, second.cut, second.text()]).toEqual([200, true, 'ab']);
    expect(errors).toEqual(['at once', 'later']);
    got_request_exception.disconnect(onException, { sender: application });
  });
});

describe('its head', () => {
  test('has Set-Cookie one by one, and not what is the web server\u2019s', async () => {
    const headers = new Headers({ 'X-A': 'b', Connection: 'close', 'Transfer-Encoding': 'chunked' });
    headers.append('Set-Cookie', 'c=1; Path=/');
    headers.append('Set-Cookie', 'd=2');
    headers.append('X-A', 'c');
    const response = await answered(() => new Response(null, { headers, status: 201 }));
    expect(response.status).toBe(201);
    expect(response.headers).toEqual([
      ['set-cookie', 'c=1; Path=/'],
      ['set-cookie', 'd=2'],
      ['x-a', 'b, c'],
      ['Content-Length', '0'],
    ]);
  });

  test.each([301, 302, 303, 307, 308] as const)('redirects with %d', async (status) => {
    const response = await answered(() => Response.redirect('http://example.com/x?y', status));
    expect([response.status, response.header('Location'), response.body.length]).toEqual([
      status,
      'http://example.com/x?y',
      0,
    ]);
  });

  test.each([204, 304])('%d has no body and no length', async (status) => {
    const response = await answered(() => new Response(null, { status, headers: { ETag: '"a"' } }));
    expect([response.status, response.headers]).toEqual([status, [['etag', '"a"']]]);
  });

  test('that cannot be sent is a 500', async () => {
    expect((await answered(() => new Response('x', { headers: { a: 'x'.repeat(9000) } }))).status).toBe(500);
    expect((await answered(() => new Response('x', { headers: { a: 'b\u0001c' } }))).status).toBe(500);
  });
});

describe('errors', () => {
  const used = async (): Promise<Response> => {
    const response = new Response('x');
    await response.text();
    return response;
  };
  const locked = (): Response => {
    const response = new Response('x');
    response.body?.getReader();
    return response;
  };

  test.each<[what: string, answer: () => unknown]>([
    ['Response.error()', () => Response.error()],
    ['one that has been read', used],
    ['one that is being read', locked],
    ['nothing', () => undefined],
    ['nothing later', () => Promise.resolve(null)],
    ['text', () => 'text'],
    ['an object', () => ({ json: true })],
    ['something that looks a little like one', () => ({ status: 200, headers: 'a', body: null, bodyUsed: false })],
    [
      'a throw',
      () => {
        throw new Error('thrown');
      },
    ],
    ['a rejection', () => Promise.reject(new Error('rejected'))],
    ['what has no text', () => Promise.reject(Object.create(null) as Error)],
  ])('%s is a 500, and its reason in the error log', async (_what, answer) => {
    const response = await answered(answer);
    expect([response.status, response.text()]).toEqual([500, '500 Internal Server Error\n']);
    expect(response.stderr).not.toBe('');
  });
});

test('layers around it see an HttpResponse and may change it', async () => {
  const application = new Application()
    .use(async (request, next) => {
      const response = await next(request);
      response.headers.set('X-Seen', String(response instanceof HttpResponse));
      response.setCookie('a', 'b');
      return response;
    })
    .fallback(fromFetch(() => Response.redirect('http://example.com/', 302))); // whose own headers nobody may change
  const response = await application.inject('/');
  expect([response.status, response.header('X-Seen'), response.header('Set-Cookie')]).toEqual([
    302,
    'true',
    'a=b; Path=/',
  ]);
});

test("another implementation's Response is one", async () => {
  class Other {
    readonly status = 202;
    readonly bodyUsed = false;
    readonly headers = new Map([['x-a', 'b']]);
    readonly body: unknown;
    constructor(body: unknown) {
      this.body = body;
    }
  }
  for (const body of [null, new Response('other').body, Readable.from([Buffer.from('other')])]) {
    const response = await answered(() => new Other(body));
    expect([response.status, response.header('X-A'), response.text()]).toEqual([
      202,
      'b',
      body === null ? '' : 'other',
    ]);
  }
});
