// sendFile() and serveFiles(): files as answers.

import { execFileSync } from 'node:child_process';
import {
  fstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';

import { Client } from '../../../lib/client/index.ts';
import {
  Application,
  sendFile,
  serveFiles,
  type InjectedRequest,
  type InjectedResponse,
  type SendFileOptions,
} from '../../../lib/app/index.ts';
import { serve } from '../../../lib/serve.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const folder = temporaryFolder();
const MODIFIED = 784_111_777; // Sun, 06 Nov 1994 08:49:37 GMT
const DATE = 'Sun, 06 Nov 1994 08:49:37 GMT';

function make(name: string, content: string | Buffer, modified = MODIFIED): string {
  const path = folder.join('files', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  utimesSync(path, modified, modified);
  return path;
}

function get(path: string, options?: SendFileOptions, asked: InjectedRequest = {}): Promise<InjectedResponse> {
  return new Application()
    .route(asked.method ?? 'GET', '/', (request) => sendFile(request, path, options))
    .inject(asked);
}

/** A name as a download has it. */
function withoutPaths(name: string): string {
  const isUnsafe = (char: string): boolean => char < ' ' || char === '\x7f' || char === '/' || char === '\\';
  return Array.from(Buffer.from(name).toString(), (char) => (isUnsafe(char) ? '_' : char)).join('');
}

/** How many descriptors of this process are open on a file. */
function descriptorsOn(path: string): number {
  const { ino, dev } = statSync(path);
  return readdirSync('/dev/fd').filter((fd) => {
    try {
      const open = fstatSync(Number(fd));
      return open.ino === ino && open.dev === dev;
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
}

/** Closing takes some turns of the event loop. Garbage collection, which closes as well, must not be what does it. */
async function untilClosed(path: string): Promise<void> {
  for (let turn = 0; turn < 300 && descriptorsOn(path) > 0; turn++) await setImmediate();
}

const LARGE = Buffer.alloc(1_000_000, '0123456789');

describe('a file', () => {
  test('comes whole with its length, type and validators', async () => {
    const response = await get(make('a.txt', 'Grüße'));
    expect(response.status).toBe(200);
    expect(response.text()).toBe('Grüße');
    expect(Object.fromEntries(response.headers)).toEqual({
      'Content-Type': 'text/plain; charset=utf-8',
      'Accept-Ranges': 'bytes',
      'Last-Modified': DATE,
      ETag: expect.stringMatching(/^"[0-9a-f]+-[0-9a-f]+"$/),
      'Content-Length': '7',
    });
  });

  test.each([0, 1, 65_536, 65_537, 1_000_000])('of %i bytes is the same bytes', async (size) => {
    const response = await get(make('sized', LARGE.subarray(0, size)));
    expect(response.header('Content-Length')).toBe(String(size));
    expect(response.body.equals(LARGE.subarray(0, size))).toBe(true);
    expect(response.cut).toBe(false);
  });

  test.each([
    ['page.html', 'text/html; charset=utf-8'],
    ['code.js', 'text/javascript; charset=utf-8'],
    ['data.json', 'application/json'],
    ['image.PNG', 'image/png'],
    ['nothing', 'application/octet-stream'],
  ])('%s is %s', async (name, type) => {
    expect((await get(make(name, 'x'))).header('Content-Type')).toBe(type);
  });

  test('is told of to HEAD and not read', async () => {
    const response = await get(make('large.bin', LARGE), {}, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.header('Content-Length')).toBe('1000000');
    expect(response.body).toHaveLength(0);
  });

  test('may have other header fields, and its own type', async () => {
    const options = { contentType: 'text/x-own', headers: { 'Cache-Control': 'max-age=60' } };
    const response = await get(make('a.txt', 'x'), options);
    expect([response.header('Content-Type'), response.header('Cache-Control')]).toEqual(['text/x-own', 'max-age=60']);
  });

  test('that was changed just now has a weak tag and no date in the future', async () => {
    const soon = Math.floor(Date.now() / 1000) + 3600;
    const response = await get(make('new.txt', 'x', soon));
    expect(response.header('ETag')).toMatch(/^W\//);
    expect(Date.parse(response.header('Last-Modified') as string)).toBeLessThanOrEqual(Date.now());
  });

  test('has a weak tag or none, if asked for', async () => {
    const path = make('a.txt', 'x');
    expect((await get(path, { etag: 'weak' })).header('ETag')).toMatch(/^W\/"/);
    expect((await get(path, { etag: false })).header('ETag')).toBeUndefined();
  });

  test('has another tag after each change', async () => {
    const tags = new Set<string | undefined>();
    for (const [content, modified] of [
      ['ab', MODIFIED],
      ['abc', MODIFIED],
      ['abc', MODIFIED + 1],
    ] as const) {
      tags.add((await get(make('changing', content, modified))).header('ETag'));
    }
    expect(tags.size).toBe(3);
  });
});

describe('conditional requests (RFC 9110, 13.2.2)', () => {
  const before = 'Sun, 06 Nov 1994 08:49:36 GMT';
  const after = 'Sun, 06 Nov 1994 08:49:38 GMT';
  const BODIES: Record<number, string> = { 200: 'content', 304: '', 412: '412 Precondition Failed\n' };

  test.each<[headers: Record<string, string>, status: number]>([
    [{ 'If-None-Match': 'ETAG' }, 304],
    [{ 'If-None-Match': 'W/ETAG' }, 304],
    [{ 'If-None-Match': '"x", W/"y", ETAG' }, 304],
    [{ 'If-None-Match': '*' }, 304],
    [{ 'If-None-Match': '"other"' }, 200],
    [{ 'If-None-Match': 'nonsense' }, 200],
    [{ 'If-None-Match': '"other"', 'If-Modified-Since': DATE }, 200], // If-Modified-Since does not count beside it
    [{ 'If-Modified-Since': DATE }, 304],
    [{ 'If-Modified-Since': after }, 304],
    [{ 'If-Modified-Since': before }, 200],
    [{ 'If-Modified-Since': 'Sunday, 06-Nov-94 08:49:37 GMT' }, 304],
    [{ 'If-Modified-Since': 'Sun Nov  6 08:49:37 1994' }, 304],
    [{ 'If-Modified-Since': '1994-11-06T08:49:37Z' }, 200],
    [{ 'If-Modified-Since': 'Sun, 99 Nov 1994 08:49:37 GMT' }, 200],
    [{ 'If-Match': 'ETAG' }, 200],
    [{ 'If-Match': '*' }, 200],
    [{ 'If-Match': 'W/ETAG' }, 412],
    [{ 'If-Match': '"other"' }, 412],
    [{ 'If-Match': '"other"', 'If-None-Match': 'ETAG' }, 412],
    [{ 'If-Match': 'ETAG', 'If-Unmodified-Since': before }, 200], // If-Unmodified-Since does not count beside it
    [{ 'If-Match': 'ETAG', 'If-None-Match': 'ETAG' }, 304],
    [{ 'If-Unmodified-Since': before }, 412],
    [{ 'If-Unmodified-Since': DATE }, 200],
    [{ 'If-Unmodified-Since': 'nonsense' }, 200],
    [{ 'If-Unmodified-Since': DATE, 'If-Modified-Since': DATE }, 304],
  ])('%j: %i', async (headers, status) => {
    const path = make('conditional.txt', 'content');
    const etag = (await get(path)).header('ETag') as string;
    const asked = Object.entries(headers).map(([name, value]) => [name, value.replace('ETAG', etag)]);
    for (const method of ['GET', 'HEAD']) {
      const response = await get(path, {}, { method, headers: Object.fromEntries(asked) as Record<string, string> });
      const body = method === 'HEAD' ? '' : (BODIES[status] as string);
      const told = status === 412 ? [undefined, undefined] : [etag, DATE];
      expect([response.status, response.text()]).toEqual([status, body]);
      expect([response.header('ETag'), response.header('Last-Modified')]).toEqual(told);
    }
  });

  test('other methods get the whole file', async () => {
    const headers = { 'If-None-Match': '*', 'If-Match': '"x"', Range: 'bytes=0-1' };
    const response = await get(make('a.txt', 'content'), {}, { method: 'POST', headers });
    expect([response.status, response.text()]).toEqual([200, 'content']);
  });
});

describe('ranges (RFC 9110, 14)', () => {
  const part = (range: string, body: string): [string, number, string, string] => {
    const [first = 0, last = 0] = range.split('-').map(Number);
    return [`bytes=${range}`, 206, `bytes ${first}-${last}/10`, body];
  };

  test.each<[range: string, status: number, contentRange: string | undefined, body: string]>([
    part('0-0', '0'),
    part('2-5', '2345'),
    part('0-9', '0123456789'),
    ['bytes=7-', 206, 'bytes 7-9/10', '789'],
    ['bytes=7-99', 206, 'bytes 7-9/10', '789'],
    ['bytes=-3', 206, 'bytes 7-9/10', '789'],
    ['bytes=-99', 206, 'bytes 0-9/10', '0123456789'],
    ['BYTES=0-0', 206, 'bytes 0-0/10', '0'],
    ['bytes=10-', 416, 'bytes */10', '416 Range Not Satisfiable\n'],
    ['bytes=99999999999999999999-', 416, 'bytes */10', '416 Range Not Satisfiable\n'],
    ['bytes=-0', 416, 'bytes */10', '416 Range Not Satisfiable\n'],
    ['bytes=0-1,4-5', 200, undefined, '0123456789'],
    ['bytes=5-2', 200, undefined, '0123456789'],
    ['bytes=-', 200, undefined, '0123456789'],
    ['bytes=a-b', 200, undefined, '0123456789'],
    ['lines=0-1', 200, undefined, '0123456789'],
  ])('%s: %i', async (range, status, contentRange, body) => {
    const response = await get(make('range.txt', '0123456789'), {}, { headers: { Range: range } });
    expect([response.status, response.header('Content-Range'), response.text()]).toEqual([status, contentRange, body]);
    expect(response.header('Content-Length')).toBe(String(body.length));
  });

  test('of any part of a file of any size are those bytes', async () => {
    const path = make('large.bin', LARGE);
    const offset = fc.integer({ min: 0, max: LARGE.length - 1 });
    await fc.assert(
      fc.asyncProperty(offset, offset, async (one, other) => {
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const response = await get(path, {}, { headers: { Range: `bytes=${first}-${last}` } });
        expect(response.status).toBe(206);
        expect(response.body.equals(LARGE.subarray(first, last + 1))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('HEAD has none', async () => {
    const response = await get(
      make('range.txt', '0123456789'),
      {},
      { method: 'HEAD', headers: { Range: 'bytes=0-1' } },
    );
    expect([response.status, response.header('Content-Length')]).toEqual([200, '10']);
  });

  test('an empty file has none', async () => {
    const path = make('empty', '');
    expect((await get(path, {}, { headers: { Range: 'bytes=0-' } })).status).toBe(416);
    expect((await get(path, {}, { headers: { Range: 'bytes=-5' } })).status).toBe(200);
  });

  test.each<[ifRange: string, status: number]>([
    ['ETAG', 206],
    ['W/ETAG', 200],
    ['"other"', 200],
    [DATE, 206],
    ['Sun, 06 Nov 1994 08:49:38 GMT', 200],
    ['nonsense', 200],
  ])('If-Range: %s: %i', async (ifRange, status) => {
    const path = make('range.txt', '0123456789');
    const etag = (await get(path)).header('ETag') as string;
    const headers = { Range: 'bytes=0-1', 'If-Range': ifRange.replace('ETAG', etag) };
    expect((await get(path, {}, { headers })).status).toBe(status);
  });

  test('a weak tag is not good enough for If-Range', async () => {
    const path = make('range.txt', '0123456789');
    const etag = (await get(path, { etag: 'weak' })).header('ETag') as string;
    const response = await get(path, { etag: 'weak' }, { headers: { Range: 'bytes=0-1', 'If-Range': etag } });
    expect(response.status).toBe(200);
  });
});

describe('what is not there', () => {
  test.each(['missing.txt', 'files/a.txt/below', 'files', '', 'a\0b', `${'x'.repeat(300)}`])(
    '%j is 404',
    async (name) => {
      make('a.txt', 'x');
      expect((await get(`${folder.path}/${name}`)).status).toBe(404);
    },
  );

  test('a FIFO is 404, and nobody waits for it', async () => {
    const path = folder.join('fifo');
    execFileSync('mkfifo', [path]);
    expect((await get(path)).status).toBe(404);
    expect((await get(path, { sendfile: 'X-Sendfile' })).status).toBe(404);
  });

  test('a link to itself is 404', async () => {
    symlinkSync('loop', folder.join('loop'));
    expect((await get(folder.join('loop'))).status).toBe(404);
  });
});

describe('with a root', () => {
  function rooted(): string {
    make('root/a.txt', 'inside');
    make('root/.hidden', 'inside');
    make('root/deep/er/b.txt', 'inside');
    make('root/..almost', 'inside');
    make('secret.txt', 'OUTSIDE');
    make('root-sibling/c.txt', 'OUTSIDE');
    return folder.join('files', 'root');
  }

  test.each(['a.txt', 'deep/er/b.txt'])('%s is sent', async (path) => {
    expect((await get(path, { root: rooted() })).text()).toBe('inside');
  });

  test.each([
    '../secret.txt',
    'deep/../../secret.txt',
    'deep/../a.txt',
    './a.txt',
    '/a.txt',
    '//a.txt',
    'deep//er/b.txt',
    'a.txt/',
    '..\\secret.txt',
    'deep\\er\\b.txt',
    'a.txt\0',
    'a.txt\0.png',
    '',
    '.',
    '..',
    '../root-sibling/c.txt',
    '.hidden',
    '..almost',
    'deep',
    'missing',
    'a.txt/x',
    `${'x/'.repeat(3000)}y`,
  ])('%j is 404', async (path) => {
    expect((await get(path, { root: rooted() })).status).toBe(404);
  });

  test('an absolute path is 404, even one below the root', async () => {
    const root = rooted();
    expect((await get(`${root}/a.txt`, { root })).status).toBe(404);
  });

  test('hidden names are sent if asked for', async () => {
    const root = rooted();
    expect((await get('.hidden', { root, hidden: true })).text()).toBe('inside');
    expect((await get('..', { root, hidden: true })).status).toBe(404);
  });

  test('a link may lead about within, and not out', async () => {
    const root = rooted();
    symlinkSync('deep/er/b.txt', `${root}/within`);
    symlinkSync('../secret.txt', `${root}/out`);
    symlinkSync('..', `${root}/up`);
    symlinkSync(`${root}-sibling`, `${root}/sibling`);
    symlinkSync(root, folder.join('current'));
    expect((await get('within', { root })).text()).toBe('inside');
    expect((await get('a.txt', { root: folder.join('current') })).text()).toBe('inside');
    for (const path of ['out', 'up/secret.txt', 'sibling/c.txt']) {
      expect((await get(path, { root })).status).toBe(404);
    }
  });

  test('no path at all leads out', async () => {
    const root = rooted();
    const piece = fc.constantFrom(
      '..',
      '.',
      '/',
      '\\',
      '\0',
      'deep',
      'er',
      'a.txt',
      'secret.txt',
      'root',
      '%2e%2e',
      ' ',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 8 }), async (pieces) => {
        const response = await get(pieces.join(''), { root });
        expect([200, 404]).toContain(response.status);
        expect(response.text()).not.toContain('OUTSIDE');
      }),
      { numRuns: 500 },
    );
  });

  test('that is missing itself is an error', async () => {
    const response = await get('a.txt', { root: folder.join('nowhere') });
    expect(response.status).toBe(500);
    expect(response.stderr).toContain('ENOENT');
  });
});

describe('download', () => {
  test.each<[string | boolean, string | undefined]>([
    [false, undefined],
    [true, 'attachment; filename="a.txt"'],
    ['report 1.pdf', 'attachment; filename="report 1.pdf"'],
    ['Übersicht.pdf', `attachment; filename="_bersicht.pdf"; filename*=UTF-8''%C3%9Cbersicht.pdf`],
    ['€ rates', `attachment; filename="_ rates"; filename*=UTF-8''%E2%82%AC%20rates`],
    ['a"b', `attachment; filename="a_b"; filename*=UTF-8''a%22b`],
    ['100%25', `attachment; filename="100_25"; filename*=UTF-8''100%2525`],
    ['../../etc/passwd', 'attachment; filename=".._.._etc_passwd"'],
    ['a\\b\r\nSet-Cookie: x', 'attachment; filename="a_b__Set-Cookie: x"'],
    ['\ud800', `attachment; filename="_"; filename*=UTF-8''%EF%BF%BD`],
  ])('%j', async (download, disposition) => {
    expect((await get(make('a.txt', 'x'), { download })).header('Content-Disposition')).toBe(disposition);
  });

  test('of any name is one header field', async () => {
    const path = make('a.txt', 'x');
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (download) => {
        const value = (await get(path, { download })).header('Content-Disposition') as string;
        expect(value).toMatch(
          /^attachment; filename="[ !#-.0-[\]-~]*"(?:; filename\*=UTF-8''[!#$%&+\-.^_`|~0-9A-Za-z]*)?$/,
        );
        const [, plain = '', encoded] =
          /^attachment; filename="([^"]*)"(?:; filename\*=UTF-8''(.*))?$/.exec(value) ?? [];
        expect(encoded === undefined ? plain : decodeURIComponent(encoded)).toBe(withoutPaths(download));
      }),
    );
  });
});

describe('sent by the web server', () => {
  test('X-Sendfile has the real path, percent-encoded', async () => {
    const path = make('x/a b%41ü.txt', 'x');
    const response = await get(path, { sendfile: 'X-Sendfile' });
    expect(response.status).toBe(200);
    expect(response.header('X-Sendfile')).toBe(`${folder.join('files')}/x/a%20b%2541%C3%BC.txt`);
    expect(response.header('Content-Type')).toBe('text/plain; charset=utf-8');
    expect(response.header('ETag')).toBeUndefined();
    expect(response.body).toHaveLength(0);
  });

  const accel = (): SendFileOptions => ({
    sendfile: { header: 'X-Accel-Redirect', prefix: '/protected/', root: folder.join('files') },
  });

  test('X-Accel-Redirect has the location', async () => {
    const response = await get(make('x/a b.txt', 'x'), { ...accel(), download: true });
    expect(response.header('X-Accel-Redirect')).toBe('/protected/x/a%20b.txt');
    expect(response.header('Content-Disposition')).toBe('attachment; filename="a b.txt"');
  });

  test('a file that the web server has not is an error', async () => {
    writeFileSync(folder.join('elsewhere.txt'), 'x');
    expect((await get(folder.join('elsewhere.txt'), accel())).status).toBe(500);
  });

  test('leaves conditions to it, and refuses the same paths', async () => {
    const root = dirname(make('a.txt', 'x'));
    expect((await get('a.txt', { ...accel(), root }, { headers: { 'If-None-Match': '*' } })).status).toBe(200);
    for (const path of ['../a.txt', 'missing', '.hidden', 'x']) {
      const response = await get(path, { ...accel(), root });
      expect([response.status, response.header('X-Accel-Redirect')]).toEqual([404, undefined]);
    }
  });
});

describe('serveFiles', () => {
  function site(): Application {
    make('site/index.html', 'home');
    make('site/css/main.css', 'style');
    make('site/a b/ü.txt', 'name');
    const root = folder.join('files', 'site');
    return new Application()
      .get('/static/*', serveFiles(root))
      .get('/site/*', serveFiles(root, { index: 'index.html', headers: { 'Cache-Control': 'no-cache' } }))
      .get('/wrong', serveFiles(root));
  }

  test.each([
    ['/static/css/main.css', 200, 'style'],
    ['/static/a%20b/%C3%BC.txt', 200, 'name'],
    ['/static/css%2Fmain.css', 200, 'style'],
    ['/site/', 200, 'home'],
    ['/site/index.html', 200, 'home'],
    ['/static/', 404, '404 Not Found\n'],
    ['/static/css', 404, '404 Not Found\n'],
    ['/site/css/', 404, '404 Not Found\n'],
    ['/static/../send-file.spec.ts', 404, '404 Not Found\n'],
    ['/static/%2e%2e/a.txt', 404, '404 Not Found\n'],
    ['/static/..%2fa.txt', 404, '404 Not Found\n'],
    ['/static/%252e%252e/a.txt', 404, '404 Not Found\n'],
    ['/static/%5c..%5ca.txt', 404, '404 Not Found\n'],
    ['/static//etc/passwd', 404, '404 Not Found\n'],
    ['/static/index.html%00', 404, '404 Not Found\n'],
    ['/static/%ff', 400, '400 the path is not percent-encoded UTF-8\n'],
  ])('%s: %i', async (target, status, body) => {
    const response = await site().inject(target);
    expect([response.status, response.text()]).toEqual([status, body]);
  });

  test('answers HEAD, and passes options on', async () => {
    const response = await site().inject({ method: 'HEAD', target: '/site/css/main.css' });
    expect([response.status, response.header('Cache-Control'), response.body.length]).toEqual([200, 'no-cache', 0]);
  });

  test('without a * in its route it says so', async () => {
    const response = await site().inject('/wrong');
    expect([response.status, response.stderr]).toEqual([500, expect.stringContaining('ends with /*')]);
  });
});

describe('the file is closed', () => {
  test.each<[what: string, asked: InjectedRequest]>([
    ['after it was sent', {}],
    ['after HEAD', { method: 'HEAD' }],
    ['after 304', { headers: { 'If-None-Match': '*' } }],
    ['after 412', { headers: { 'If-Match': '"x"' } }],
    ['after 416', { headers: { Range: 'bytes=9999999-' } }],
    ['after a range', { headers: { Range: 'bytes=100-200000' } }],
  ])('%s', async (_what, asked) => {
    const path = make('closed.bin', LARGE);
    await get(path, {}, asked);
    expect(descriptorsOn(path)).toBe(0);
  });

  test('when a layer throws the response away', async () => {
    const path = make('closed.bin', LARGE);
    const app = new Application()
      .use(async (request, next) => {
        await next(request);
        return 'something else';
      })
      .get('/', (request) => sendFile(request, path));
    expect((await app.inject('/')).text()).toBe('something else');
    expect(descriptorsOn(path)).toBe(0);
  });

  test('when it became shorter, and the answer is cut', async () => {
    const path = make('shrinking.bin', LARGE);
    const app = new Application().get('/', async (request) => {
      const response = await sendFile(request, path);
      truncateSync(path, 500_000);
      return response;
    });
    const response = await app.inject('/');
    expect([response.cut, response.body.length]).toEqual([true, 500_000]);
    expect(response.stderr).toContain('became shorter');
    expect(descriptorsOn(path)).toBe(0);
  });

  test('when it was replaced, and the answer is cut', async () => {
    const path = make('replaced.bin', LARGE);
    const app = new Application().get('/', async (request) => {
      const response = await sendFile(request, path);
      execFileSync('mv', [make('other.bin', LARGE), path]);
      return response;
    });
    const response = await app.inject('/');
    expect([response.cut, response.body.length]).toEqual([true, 0]);
    expect(descriptorsOn(path)).toBe(0);
  });

  test('when the client goes away in the middle', async () => {
    const path = make('aborted.bin', Buffer.alloc(16 * 1024 * 1024));
    const at = `unix:${folder.join('app.sock')}`;
    const served = await serve(
      new Application().get('/', (request) => sendFile(request, path)),
      { listen: at },
    );
    const client = new Client({ address: at });
    const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } });
    for await (const _piece of response.body) {
      expect(descriptorsOn(path)).toBe(1);
      break; // which destroys the stream, and so aborts the request
    }
    await response.ended.catch(() => {});
    await untilClosed(path);
    client.destroy();
    await served.close({ timeout: 0 });
    expect(descriptorsOn(path)).toBe(0);
  });
});
