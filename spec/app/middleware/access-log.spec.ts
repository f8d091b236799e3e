// accessLog(): one line for each request.

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';

import { Client } from '../../../lib/client/index.ts';
import {
  accessLog,
  Application,
  HttpResponse,
  requestId,
  type AccessEntry,
  type AppHandler,
  type InjectedRequest,
} from '../../../lib/app/index.ts';
import { lineWriter } from '../../../lib/app/middleware/line-writer.ts';
import { serve } from '../../../lib/serve.ts';
import { RequestError } from '../../../lib/server/index.ts';
import { Mailbox } from '../../support/mailbox.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** What is logged of a request that `handler` answers. */
async function logged(handler: AppHandler, asked: InjectedRequest = {}): Promise<AccessEntry> {
  const entries: AccessEntry[] = [];
  const format = (entry: AccessEntry): string => String(entries.push(entry));
  const app = new Application().use(accessLog({ format, write: () => {} })).fallback(handler);
  await app.inject(asked).catch(() => {}); // an aborted one has no answer
  expect(entries).toHaveLength(1);
  return entries[0] as AccessEntry;
}

async function lines(format: 'common' | 'combined' | 'json', asked: InjectedRequest): Promise<string[]> {
  const written: string[] = [];
  const app = new Application()
    .use(accessLog({ format, write: (line) => written.push(line) }))
    .use(requestId({ trust: true }))
    .fallback(() => 'twelve bytes');
  await app.inject(asked);
  return written;
}

const ASKED: InjectedRequest = {
  method: 'POST',
  target: '/a?b=c',
  headers: { Referer: 'http://example.org/', 'User-Agent': 'curl/8', 'X-Request-Id': 'r1' },
  environ: { REMOTE_ADDR: '192.0.2.7', REMOTE_USER: 'frank' },
};

describe('a line', () => {
  test('in the common format', async () => {
    const [line] = await lines('common', ASKED);
    expect(line).toMatch(
      /^192\.0\.2\.7 - frank \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "POST \/a\?b=c HTTP\/1\.1" 200 12$/,
    );
  });

  test('in the combined format', async () => {
    const [line] = await lines('combined', ASKED);
    expect(line).toMatch(/ 200 12 "http:\/\/example\.org\/" "curl\/8"$/);
  });

  test('has - for what is not there', async () => {
    const [line] = await lines('combined', { method: 'HEAD', environ: { REMOTE_ADDR: '' } });
    expect(line).toMatch(/^- - - \[[^\]]+\] "HEAD \/ HTTP\/1\.1" 200 - "-" "-"$/);
  });

  test('in JSON', async () => {
    const [line] = await lines('json', ASKED);
    expect(JSON.parse(line as string)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      remoteAddress: '192.0.2.7',
      remoteUser: 'frank',
      method: 'POST',
      target: '/a?b=c',
      protocol: 'HTTP/1.1',
      status: 200,
      bytes: 12,
      referer: 'http://example.org/',
      userAgent: 'curl/8',
      requestId: 'r1',
      duration: expect.any(Number),
    });
  });

  test('is in a known format', () => {
    expect(() => accessLog({ format: 'apache' as 'json' })).toThrow('the format apache is not known');
  });
});

describe('what a client sends', () => {
  test('is escaped as Apache does', async () => {
    const headers = { Referer: 'a"b\\c', 'User-Agent': '\b\n\r\t\v\x00\x1b[2J\x7f\xc3\xbc' };
    const [line] = await lines('combined', { headers, environ: { REMOTE_USER: 'a b" [x]' } });
    expect(line).toContain(' - a\\x20b\\"\\x20[x] [');
    expect(line).toMatch(/ "a\\"b\\\\c" "\\b\\n\\r\\t\\v\\x00\\x1b\[2J\\x7f\\xc3\\xbc"$/);
  });

  test('is UTF-8 in JSON, without what terminals obey', async () => {
    const headers = { 'User-Agent': 'gr\xc3\xbc\xc3\x9f \xc2\x9b2J \x1b[2J \xe2\x80\xa8"' };
    const [line = ''] = await lines('json', { headers });
    expect(line).toContain('"userAgent":"grüß \\u009b2J \\u001b[2J \\u2028\\""');
  });

  test('cannot forge a line or a field, whatever it is', async () => {
    const text = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    await fc.assert(
      fc.asyncProperty(text, text, text, text, async (target, agent, referer, user) => {
        const asked = {
          target: `/${target}`,
          headers: { Referer: referer, 'User-Agent': agent },
          environ: { REMOTE_USER: user, REQUEST_URI: `/${target}` },
        };
        const [line = '', ...more] = await lines('combined', asked);
        expect(more).toEqual([]);
        // One request, whole: each quoted field ends at the first quote without a backslash before it.
        expect(line).toMatch(/^\S+ - \S+ \[[^\]]+\] (?:"(?:[^"\\]|\\.)*" )200 12 (?:"(?:[^"\\]|\\.)*" ?){2}$/);
        expect(line).toMatch(/^[ -~]*$/);
        const [json = ''] = await lines('json', asked);
        expect(json).not.toMatch(/\p{Cc}|\u2028|\u2029/u);
        expect(JSON.parse(json)).toMatchObject({ userAgent: Buffer.from(agent, 'latin1').toString() });
      }),
      { numRuns: 300 },
    );
  });
});

describe('the status and the bytes', () => {
  const stream = (...pieces: string[]): HttpResponse =>
    HttpResponse.stream(
      (async function* () {
        yield* pieces;
      })(),
    );

  test.each<[what: string, handler: AppHandler, asked: InjectedRequest, status: number, bytes: number]>([
    ['of text', () => 'Grüße', {}, 200, 7],
    ['of bytes', () => Buffer.alloc(100_000), {}, 200, 100_000],
    ['of nothing', () => HttpResponse.empty(), {}, 204, 0],
    ['of HEAD', () => 'text', { method: 'HEAD' }, 200, 0],
    ['of a stream', () => stream('Grüße', ' again'), {}, 200, 13],
    ['of HEAD for a stream', () => stream('text'), { method: 'HEAD' }, 200, 0],
    ['of what is not modified', () => new HttpResponse('text', { status: 304 }), {}, 304, 0],
    ['of an error', () => Promise.reject(new Error('boom')), {}, 500, 26],
    ['of a body that is none', () => new HttpResponse(7 as unknown as string), {}, 500, 0],
    ['of a head too large', () => new HttpResponse('x', { headers: { 'X-Large': 'x'.repeat(10_000) } }), {}, 500, 0],
  ])('%s', async (_what, handler, asked, status, bytes) => {
    const entry = await logged(handler, asked);
    expect(entry).toMatchObject({ status, bytes });
  });

  test('of a stream that breaks off are those of what was sent', async () => {
    const entry = await logged(() =>
      HttpResponse.stream(
        (async function* () {
          yield 'some';
          throw new Error('no more');
        })(),
      ),
    );
    expect(entry).toMatchObject({ status: 200, bytes: 4 });
  });

  test('of a request that was given up before its answer are 499 and none', async () => {
    const abort = new AbortController();
    const handler = (): string => {
      abort.abort();
      return 'too late';
    };
    expect(await logged(handler, { signal: abort.signal })).toMatchObject({ status: 499, bytes: 0 });
  });

  test('of a request that the server has answered at its time-out are 504 and none', async () => {
    const abort = new AbortController();
    const handler = (): string => {
      abort.abort(new RequestError('TIMEOUT', 'too long'));
      return 'too late';
    };
    expect(await logged(handler, { signal: abort.signal })).toMatchObject({ status: 504, bytes: 0 });
  });

  test('of a request whose worker did not wait for its answer are 499 and none', async () => {
    const entries: AccessEntry[] = [];
    const format = (entry: AccessEntry): string => String(entries.push(entry));
    const app = new Application()
      .use(accessLog({ format, write: () => {} }))
      .get('/', () => new Promise<string>(() => {}));
    void app.inject('/');
    await app.finishAll(new Error('stopping'));
    expect(entries).toMatchObject([{ status: 499, bytes: 0 }]);
  });

  test('the method is the one that was sent', async () => {
    const app = new Application();
    const written: string[] = [];
    app.use(accessLog({ write: (line) => written.push(line) }));
    app.use((request, next) => {
      request.method = 'DELETE';
      return next(request);
    });
    app.delete('/', () => 'gone');
    expect((await app.inject({ method: 'POST' })).text()).toBe('gone');
    expect(written).toEqual([expect.stringContaining('"POST / HTTP/1.1" 200 4')]);
  });

  test('the duration of a stream is that of the whole stream', async () => {
    const entry = await logged(() =>
      HttpResponse.stream(
        (async function* () {
          const begun = performance.now();
          yield 'x';
          while (performance.now() < begun + 20) await new Promise(setImmediate);
        })(),
      ),
    );
    expect(entry.duration).toBeGreaterThanOrEqual(20);
  });
});

describe('behind a socket', () => {
  const folder = temporaryFolder();

  test('a stream that the client leaves has one line, with what was sent', async () => {
    const entries = new Mailbox<AccessEntry>();
    let returned: (value?: unknown) => void = () => {};
    const isReturned = new Promise((resolve) => (returned = resolve));
    const app = new Application()
      .use(accessLog({ format: (entry) => (entries.put(entry), ''), write: () => {} }))
      .get('/', () =>
        HttpResponse.stream(
          (async function* () {
            try {
              for (;;) yield 'x'.repeat(1000);
            } finally {
              returned();
            }
          })(),
        ),
      );
    const at = `unix:${folder.join('app.sock')}`;
    const served = await serve(app, { listen: at });
    const client = new Client({ address: at });
    const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } });
    for await (const _piece of response.body) break; // which aborts the request
    const entry = await entries.next();
    await isReturned;
    client.destroy();
    await served.close({ timeout: 0 });
    expect([entry.status, entries.size]).toEqual([200, 0]);
    expect(entry.bytes).toBeGreaterThanOrEqual(1000);
  });
});

describe('the lines', () => {
  test('of one turn of the event loop are one write', async () => {
    const stream = new PassThrough();
    const write = lineWriter(stream);
    write('one');
    write('two');
    expect(String((await once(stream, 'data'))[0])).toBe('one\ntwo\n');
    write('three');
    expect(String((await once(stream, 'data'))[0])).toBe('three\n');
  });

  test('go nowhere where nobody reads them any more', async () => {
    const stream = new PassThrough();
    const write = lineWriter(stream);
    write('one');
    await once(stream, 'data');
    const closed = new Promise((resolve) => stream.on('close', resolve));
    stream.destroy(new Error('EPIPE'));
    await closed;
    write('two');
    await new Promise(setImmediate);
    expect(stream.destroyed).toBe(true);
  });

  test('go on after garbage collection', async () => {
    setFlagsFromString('--expose_gc');
    const gc = runInNewContext('gc') as () => void;
    const written: string[] = [];
    const app = new Application().use(accessLog({ write: (line) => written.push(line) })).get('/', () => 'x');
    for (let round = 0; round < 3; round++) {
      await new Promise(setImmediate); // a WeakRef holds its target to the end of the turn
      gc();
      await app.inject('/');
    }
    expect(written).toHaveLength(3);
  });
});
