// A light Request against the platform's own: whatever a handler does with it, it cannot tell the difference.

import { inspect } from 'node:util';
import fc from 'fast-check';
import { Application, bodyLimit, type InjectedRequest } from '../../../lib/app/index.ts';
import { fromFetch } from '../../../lib/adapters/fetch/index.ts';

type Look = (request: Request) => unknown;

const outcome = async (work: () => unknown): Promise<unknown> => {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: (error as Error).name };
  }
};

/** What `look` sees of a request, and its error. */
async function seen(asked: InjectedRequest | string, look: Look, light: boolean): Promise<unknown> {
  let result: unknown;
  const handler = fromFetch(
    async (request: Request) => {
      result = await outcome(() => look(request));
      return new Response();
    },
    { light },
  );
  const { status, stderr } = await new Application().fallback(handler).inject(asked);
  expect([status, stderr]).toEqual([200, '']);
  return result;
}

/** The same of a light Request, of the platform's behind Postfork, and of one that the spec makes. */
async function thrice(asked: InjectedRequest, look: Look): Promise<[light: unknown, real: unknown, made: unknown]> {
  const made = await outcome(() => look(platformRequest(asked)));
  return [await seen(asked, look, true), await seen(asked, look, false), made];
}

function platformRequest({ method = 'GET', target = '/', headers, body, environ }: InjectedRequest): Request {
  const bytes = Buffer.from(body as string);
  const url = `${environ?.['HTTPS'] === undefined ? 'http' : 'https'}://${environ?.['HTTP_HOST'] || 'localhost'}${target}`;
  return new Request(url, {
    method,
    headers: { host: environ?.['HTTP_HOST'] ?? 'localhost', ...headers, 'content-length': String(bytes.length) },
    ...(bytes.length > 0 && !['GET', 'HEAD'].includes(method) && { body: bytes, duplex: 'half' }),
  });
}

const pairs = (headers: Headers): [string, string][] => [...headers];
const hex = (bytes: ArrayBuffer | Uint8Array): string => Buffer.from(bytes as Uint8Array).toString('hex');

const POST: InjectedRequest = {
  method: 'POST',
  target: '/a?b=c',
  headers: { 'Content-Type': 'application/json', 'X-A': 'b, c', Cookie: 'd=e; f=g' },
  body: '{"h":["\u00e4"]}',
};
const FORM: InjectedRequest = {
  ...POST,
  headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  body: 'a=b&c=d',
};

/** All that a Request says of itself without its body being read. */
const properties = (request: Request): unknown => [
  request.method,
  request.url,
  pairs(request.headers),
  request.headers === request.headers,
  request.headers.get('X-a'),
  request.headers.get('missing'),
  request.destination,
  request.referrer,
  request.referrerPolicy,
  request.mode,
  request.credentials,
  request.cache,
  request.redirect,
  request.integrity,
  request.keepalive,
  request.duplex,
  request.bodyUsed,
  request.body === null,
  request.body === request.body,
  request.signal instanceof AbortSignal,
  request.signal === request.signal,
  request.signal.aborted,
  request instanceof Request,
  Object.prototype.toString.call(request),
  request.constructor === Request.prototype.constructor,
];

describe('as the platform', () => {
  test.each<[what: string, asked: InjectedRequest]>([
    ['a GET', { target: '/x?y' }],
    ['a GET with a Content-Length', { ...POST, method: 'GET' }],
    ['a HEAD', { method: 'HEAD' }],
    ['a POST', POST],
    ['a POST without a body', { method: 'POST' }],
    ['a method of its own', { ...POST, method: 'PURGE' }],
    ['a method in lower case', { ...POST, method: 'post' }],
    ['another in lower case', { ...POST, method: 'purge' }],
    ['a request without a host', { environ: { HTTP_HOST: '', SERVER_NAME: '' } }],
    ['one by https', { environ: { HTTPS: 'on', HTTP_HOST: 'example.com:8443' } }],
  ])('it describes %s', async (_what, asked) => {
    const [light, real, made] = await thrice({ body: '', ...asked }, properties);
    expect(light).toEqual(made);
    expect(real).toEqual(made);
  });

  test.each<[what: string, look: Look]>([
    ['text()', (request) => request.text()],
    ['json()', (request) => request.json()],
    ['arrayBuffer()', async (request) => hex(await request.arrayBuffer())],
    ['a buffer of its own', async (request) => (await request.arrayBuffer()).byteLength],
    ['blob()', async (request) => [(await request.clone().blob()).type, await (await request.blob()).text()]],
    ['bytes()', async (request) => hex(await (request as Request & { bytes(): Promise<Uint8Array> }).bytes())],
    ['formData()', async (request) => [...(await request.formData())]],
    ['text() twice', (request) => request.text().then(() => request.text())],
    ['text() and json() at once', (request) => Promise.all([request.text(), request.json()])],
    ['text(), then clone()', (request) => request.text().then(() => request.clone().method)],
    ['text(), then new Request', (request) => request.text().then(() => new Request(request).method)],
    ['text(), then body', (request) => request.text().then(() => request.body?.locked)],
    [
      'bodyUsed',
      (request) => [request.bodyUsed, request.text().then(String), request.bodyUsed].filter((_, at) => at !== 1),
    ],
    [
      'bodyUsed of its stream',
      async (request) => [
        await request.body
          ?.getReader()
          .read()
          .then(() => 0),
        request.bodyUsed,
      ],
    ],
    ['text() while its stream is read', (request) => (request.body?.getReader(), request.text())],
    ['clone(), both read', (request) => Promise.all([request.clone().text(), request.text()])],
    [
      'new Request(request)',
      async (request) => {
        const copy = new Request(request);
        return [copy.method, copy.url, pairs(copy.headers), await copy.text(), request.bodyUsed];
      },
    ],
    [
      'new Request(request, init)',
      async (request) => {
        const copy = new Request(request, { method: 'PUT', headers: { z: 'y' } });
        return [copy.method, copy.url, pairs(copy.headers), await copy.text()];
      },
    ],
    [
      'new Request(url, request)',
      async (request) => {
        const copy = new Request('http://other/', request);
        return [copy.method, copy.url, pairs(copy.headers), await copy.text()];
      },
    ],
    [
      'a class of Requests',
      async (request) => {
        const Mine = class extends Request {
          readonly mine = true;
        };
        const copy = new Mine(request);
        return [copy.mine, copy instanceof Mine, copy instanceof Request, await copy.text()];
      },
    ],
    [
      'headers that are changed before they are needed',
      async (request) => {
        request.headers.set('x-a', 'changed');
        request.headers.delete('cookie');
        return pairs(new Request(request).headers);
      },
    ],
    [
      'headers that are changed after a clone',
      async (request) => {
        const { headers } = request;
        const first = request.clone();
        headers.set('x-a', 'changed');
        headers.delete('cookie');
        return [
          pairs(first.headers),
          pairs(request.headers),
          pairs(request.clone().headers),
          pairs(new Request(request).headers),
        ];
      },
    ],
    [
      'headers that are changed where they were first needed',
      async (request) => {
        void request.mode;
        request.headers.append('x-a', 'more');
        return pairs(request.clone().headers);
      },
    ],
    [
      'a byte stream',
      async (request) => {
        const reader = request.body?.getReader({ mode: 'byob' });
        const pieces: string[] = [];
        for (;;) {
          const step = await reader?.read(new Uint8Array(5));
          if (step?.value === undefined || step.done) return pieces.join('');
          pieces.push(hex(step.value));
        }
      },
    ],
    ['what others leave in it', (request) => Object.assign(request, { params: { id: '7' } }).params],
    ['how it is shown', (request) => inspect(request).startsWith('Request {')],
  ])('it answers %s', async (_what, look) => {
    for (const asked of [POST, FORM, { method: 'POST', body: '' }]) {
      const [light, real, made] = await thrice(asked, look);
      expect(light).toEqual(made);
      expect(real).toEqual(made);
    }
  });

  test('a byte order mark is no text, bytes that are no UTF-8 are replaced', async () => {
    for (const body of ['\ufefftext', '\ufeff', Buffer.from('61ff80e28262', 'hex')]) {
      const [light, real, made] = await thrice({ method: 'POST', body }, (request) => request.text());
      expect([light, real]).toEqual([made, made]);
    }
  });

  test('whatever the body', async () => {
    const looks: Look[] = [
      (request) => request.text(),
      async (request) => hex(await request.arrayBuffer()),
      async (request) => hex(await new Response(request.body).arrayBuffer()),
    ];
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...looks), async (body, look) => {
        const [light, real, made] = await thrice({ method: 'POST', body }, look);
        expect([light, real]).toEqual([made, made]);
      }),
      { numRuns: 100 },
    );
  });

  test('whatever JSON', async () => {
    await fc.assert(
      fc.asyncProperty(fc.json(), async (body) => {
        expect(await seen({ method: 'PUT', body }, (request) => request.json(), true)).toEqual({
          value: JSON.parse(body),
        });
      }),
      { numRuns: 50 },
    );
  });

  test('whatever the headers', async () => {
    const name = fc
      .stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/)
      .filter((text) => !/^(proxy|transfer-encoding|content-.*|host)$/i.test(text));
    const value = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 10 }), async (headers) => {
        const told = await seen({ headers }, (request) => pairs(request.headers), true);
        // What the platform makes of the same fields; of names that differ only in case the last is injected.
        const expected = new Headers({ host: 'localhost' });
        for (const [field, text] of Object.entries(headers)) expected.set(field, text);
        expect(told).toEqual({ value: pairs(expected) });
      }),
      { numRuns: 200 },
    );
  });
});

describe('its URL', () => {
  const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
  const part = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: visible, maxLength: 12 }) },
    fc.constantFrom(
      '/.',
      '/..',
      '/%2e',
      '/%2E%2e/',
      '//',
      '%',
      '%zz',
      '%C3%A4',
      "'",
      '?',
      '#',
      '\\',
      '|',
      '[',
      '^',
      '`',
      '{',
      '\u00e4',
    ),
  );
  const target = fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('')}`);
  const host = fc.constantFrom(
    'localhost',
    'Example.COM',
    'example.com:80',
    'example.com:443',
    'example.com:0080',
    '127.1',
    '0x7f.1',
    '[::1]:8080',
    'xn--maana-pta.com',
    'a_b.c',
    'a.b.',
  );

  test('is what the platform makes of the same text, whatever the target', async () => {
    await fc.assert(
      fc.asyncProperty(target, host, fc.boolean(), async (path, name, https) => {
        const url = await seen(
          { target: path, environ: { HTTP_HOST: name, ...(https && { HTTPS: 'on' }) } },
          (request) => request.url,
          true,
        );
        const raw = Buffer.from(path, 'latin1')
          .toString('latin1')
          .replaceAll(/[^!-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
        expect(url).toEqual({ value: new Request(`${https ? 'https' : 'http'}://${name}${raw}`).url });
      }),
      { numRuns: 1000 },
    );
  });
});

describe('what it costs', () => {
  let platform = globalThis.Request;
  let made = 0;

  beforeEach(() => {
    fromFetch(() => new Response()); // what has to be done once in a process
    platform = globalThis.Request;
    made = 0;
    globalThis.Request = new Proxy(platform, {
      construct: (target, args, newTarget) => {
        made += 1;
        return Reflect.construct(target, args, newTarget) as object;
      },
    });
  });
  afterEach(() => {
    globalThis.Request = platform;
  });

  test('the platform makes none where it is asked for method, URL, headers, signal and a body that is read whole', async () => {
    await seen(
      POST,
      async (request) => [
        request.method,
        request.url,
        request.headers.get('x-a'),
        request.signal.aborted,
        await request.json(),
      ],
      true,
    );
    await seen('/', (request) => [request.body, request.bodyUsed, request instanceof Request], true);
    expect(made).toBe(0);
  });

  test('one, where it is asked for more', async () => {
    await seen(POST, async (request) => [request.mode, request.body, await request.text(), request.cache], true);
    expect(made).toBe(1);
  });
});

describe('bounds', () => {
  const looks: [string, Look][] = [
    ['text()', (request) => request.text()],
    ['arrayBuffer()', (request) => request.arrayBuffer()],
    ['blob()', (request) => request.blob()],
    ['the stream', (request) => new Response(request.body).text()],
  ];

  test.each(looks)('%s has none of its own', async (_name, look) => {
    let length = 0;
    const handler = fromFetch(async (request: Request) => {
      length = (await new Response((await look(request)) as string).arrayBuffer()).byteLength;
      return new Response();
    });
    const answer = await new Application()
      .fallback(handler)
      .inject({ method: 'POST', body: Buffer.alloc(3_000_000, 'x') });
    expect(answer.status).toBe(200);
    expect(length).toBe(3_000_000);
  });

  test.each(looks)('%s is refused with 413 beyond bodyLimit', async (_name, look) => {
    const application = new Application().use(bodyLimit(1000)).fallback(
      fromFetch(async (request: Request) => {
        await look(request);
        return new Response();
      }),
    );
    const body = async function* (size: number): AsyncGenerator<Uint8Array> {
      for (let left = size; left > 0; left -= 100) yield Buffer.alloc(100);
    };
    expect((await application.inject({ method: 'POST', body: body(1000) })).status).toBe(200);
    expect((await application.inject({ method: 'POST', body: body(1100) })).status).toBe(413);
  });
});

test('its members are for itself only, as those of the platform', async () => {
  const looks: Look[] = [
    (request) => Reflect.get(Object.getPrototypeOf(request) as object, 'mode') as unknown,
    (request) => (Object.getPrototypeOf(request) as Request).clone(),
  ];
  for (const look of looks) {
    const [light, real, made] = await thrice({ body: '' }, look);
    expect([light, real, made]).toEqual(Array(3).fill({ error: 'TypeError' }));
  }
});

test('a value that no field can have is a 400', async () => {
  const application = new Application().fallback(
    fromFetch((request: Request) => new Response(request.headers.get('a'))),
  );
  expect((await application.inject({ headers: { A: 'b\0c' } })).status).toBe(400);
});
