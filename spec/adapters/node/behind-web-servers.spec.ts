// The same application under Node's http, and by FastCGI behind nginx and our gateway: the same answers to generated requests.

import type { RequestListener } from 'node:http';
import fc from 'fast-check';
import { createServer } from '../../../lib/node-server.ts';
import type { HttpSent } from '../../support/http.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { pair, played, request, script, type Pair } from '../pair.ts';
import { FRAMEWORKS } from './frameworks.ts';

const RUNS = 80;
const folder = temporaryFolder();

async function pairOf(name: string, listeners: readonly [RequestListener, RequestListener]): Promise<Pair> {
  const fastcgi = createServer(listeners[1]);
  const socket = folder.join(`${name}.sock`);
  await new Promise<void>((resolve, reject) => fastcgi.on('error', reject).listen(socket, resolve));
  const stop = async (): Promise<void> => {
    fastcgi.closeAllConnections();
    await fastcgi[Symbol.asyncDispose]();
  };
  return pair(listeners[0], { socket, stop });
}

// Express logs errors that nobody else takes.
beforeAll(() => void jest.spyOn(console, 'error').mockImplementation(() => {}));
afterAll(() => jest.restoreAllMocks());

describe.each(FRAMEWORKS.map((framework) => [framework.name, framework] as const))('%s', (name, framework) => {
  let both: Pair;
  beforeAll(async () => {
    both = await pairOf(name, [await framework.listener(), await framework.listener()]);
  });
  afterAll(() => both?.stop());

  test('sees the same request', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (sent) => {
        const { http, ...others } = await both.ask(sent);
        expect(others).toEqual({ nginx: http, gateway: http });
      }),
      { numRuns: RUNS },
    );
  });

  test('gives the same answer', async () => {
    await fc.assert(
      fc.asyncProperty(script, fc.constantFrom('GET', 'HEAD', 'POST'), fc.boolean(), async (wanted, method, gzip) => {
        const answer = played(wanted, method, framework.catches);
        const { http, ...others } = await both.ask({
          method,
          headers: { 'X-Answer': JSON.stringify(answer), ...(gzip && { 'Accept-Encoding': 'gzip' }) },
        });
        fc.pre(answer.ends !== 'cut' || http.status > 0); // the cut may have come before the head was under way
        expect(others).toEqual({ nginx: http, gateway: http });
        expect(http.complete).toBe(answer.ends !== 'cut');
      }),
      { numRuns: RUNS },
    );
  });
});

describe('Express with what belongs to it', () => {
  let both: Pair;
  let etag: string;
  let modified: string;
  beforeAll(async () => {
    const { listener } = FRAMEWORKS.find(({ name }) => name === 'express') as (typeof FRAMEWORKS)[number];
    both = await pairOf('more', [await listener(), await listener()]);
    const { http } = await both.ask({ path: '/static/index.ts' });
    etag = http.headers.etag ?? '';
    modified = http.headers['last-modified'] ?? '';
  });
  afterAll(() => both?.stop());

  const json = { 'Content-Type': 'application/json' };
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };

  test.each<[string, number, HttpSent | (() => HttpSent)]>([
    ['a JSON body', 200, { method: 'POST', path: '/json', headers: json, body: '{"a":["ä",1]}' }],
    ['a JSON body in chunks', 200, { method: 'POST', path: '/json', headers: json, body: '{"a":"b"}', chunked: true }],
    ['a JSON body that is none', 400, { method: 'POST', path: '/json', headers: json, body: '{"a":' }],
    [
      'a JSON body that is too large',
      413,
      { method: 'POST', path: '/json', headers: json, body: JSON.stringify('x'.repeat(300_000)) },
    ],
    [
      'a JSON body in a charset that nobody knows',
      415,
      { method: 'POST', path: '/json', headers: { 'Content-Type': 'application/json; charset=x' }, body: '{}' },
    ],
    ['no JSON body', 200, { method: 'POST', path: '/json' }],
    ['a form', 200, { method: 'POST', path: '/form', headers: form, body: 'a=1&b[c]=%C3%A4&b[d]=2&a=3' }],
    ['an upload', 200, { method: 'POST', path: '/upload', ...multipart(90_000) }],
    ['an upload in chunks', 200, { method: 'POST', path: '/upload', ...multipart(90_000), chunked: true }],
    ['an upload that is too large', 500, { method: 'POST', path: '/upload', ...multipart(200_000) }],
    ['an upload that is cut short', 500, { method: 'POST', path: '/upload', ...multipart(1000, -60) }],
    ['a redirect', 302, { path: '/redirect' }],
    ['a redirect for HTML', 302, { path: '/redirect', headers: { Accept: 'text/html' } }],
    ['a file', 200, { path: '/static/index.ts' }],
    ['HEAD of a file', 200, { method: 'HEAD', path: '/static/index.ts' }],
    ['a file, compressed', 200, { path: '/static/adapt.ts', headers: { 'Accept-Encoding': 'gzip' } }],
    [
      'HEAD of a file, compressed',
      200,
      { method: 'HEAD', path: '/static/adapt.ts', headers: { 'Accept-Encoding': 'gzip' } },
    ],
    ['a range', 206, { path: '/static/index.ts', headers: { Range: 'bytes=10-19' } }],
    ['the end of a file', 206, { path: '/static/index.ts', headers: { Range: 'bytes=-5' } }],
    ['two ranges, of which Express makes none', 200, { path: '/static/index.ts', headers: { Range: 'bytes=0-1,5-6' } }],
    ['a range outside', 416, { path: '/static/index.ts', headers: { Range: 'bytes=999999-' } }],
    ['If-None-Match', 304, () => ({ path: '/static/index.ts', headers: { 'If-None-Match': etag } })],
    ['If-Modified-Since', 304, () => ({ path: '/static/index.ts', headers: { 'If-Modified-Since': modified } })],
    ['If-Range', 206, () => ({ path: '/static/index.ts', headers: { 'If-Range': modified, Range: 'bytes=0-3' } })],
    ['If-Match that does not', 412, { path: '/static/index.ts', headers: { 'If-Match': '"other"' } }],
    ['a folder', 301, { path: '/static/node' }],
    ['what is no file, handed on', 200, { path: '/static/none' }],
    ['a POST to a file', 200, { method: 'POST', path: '/static/index.ts' }],
    ['sendFile', 200, { path: '/send/index.ts' }],
    ['sendFile of none', 404, { path: '/send/none' }],
    ['a download', 200, { path: '/download' }],
    ['a session that is new', 200, { path: '/session', headers: { 'X-Id': 'one' } }],
  ])('%s: %i', async (_title, status, sent) => {
    const { http, ...others } = await both.ask(typeof sent === 'function' ? sent() : sent);
    expect(others).toEqual({ nginx: http, gateway: http });
    expect(http.status).toBe(status);
  });

  test('a session', async () => {
    const first = await both.ask({ path: '/session', headers: { 'X-Id': 'two' } });
    const cookie = first.http.headers['set-cookie']?.map((text) => text.split(';')[0]).join('; ') ?? '';
    const second = await both.ask({ path: '/session', headers: { Cookie: cookie } });
    expect(second.nginx.body).toBe('seen 2');
    expect(second.http.body).toBe('seen 2');
  });
});

/** A form with a file of so many bytes. `cut`: how much of its end is missing, as a negative number. */
function multipart(bytes: number, cut?: number): { headers: Record<string, string>; body: Buffer } {
  const part = (head: string, body: string): string =>
    `--edge\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
  const text = `${part('name="title"', 'ä')}${part('name="f"; filename="a.bin"\r\nContent-Type: application/octet-stream', 'x'.repeat(bytes))}--edge--\r\n`;
  return {
    headers: { 'Content-Type': 'multipart/form-data; boundary=edge' },
    body: Buffer.from(text).subarray(0, cut),
  };
}
