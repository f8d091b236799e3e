// The same application under Node's http, and by FastCGI behind nginx and our gateway: the same answers to generated requests.

import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Gateway } from '../../../lib/gateway/index.ts';
import { createServer } from '../../../lib/node-server.ts';
import { type HttpAnswer, type HttpSent, send } from '../../support/http.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { startNginx, type WebServer } from '../../support/web-servers.ts';
import { FRAMEWORKS, type Script } from './frameworks.ts';

const RUNS = 80;
const HOST = 'example.org';
// Between the web server and its client.
const NOT_OURS = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'server']);

const folder = temporaryFolder();

const NO_ANSWER: HttpAnswer = { status: 0, headers: {}, body: Buffer.alloc(0), complete: false };

type Answer = Pick<HttpAnswer, 'status' | 'headers' | 'complete'> & { body: string };

interface Pair {
  /** What is to be the same of the two answers to a request. */
  ask(sent: HttpSent): Promise<{ http: Answer; nginx: Answer; gateway: Answer }>;
  stop(): Promise<void>;
}

async function pair(name: string, listeners: readonly [RequestListener, RequestListener]): Promise<Pair> {
  const http = createHttpServer(listeners[0]);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const fastcgi = createServer(listeners[1]);
  const socket = folder.join(`${name}.sock`);
  await new Promise<void>((resolve, reject) => fastcgi.on('error', reject).listen(socket, resolve));
  const nginx: WebServer = await startNginx({ to: `unix:${socket}` });
  const gateway = new Gateway({ to: `unix:${socket}` });
  const front = await gateway.listen({ port: 0 });
  const { port } = http.address() as AddressInfo;
  return {
    async ask(sent) {
      const asked = { ...sent, headers: { Host: HOST, ...sent.headers } };
      const [one, other, third] = await Promise.all([
        send(port, asked).catch(() => NO_ANSWER),
        send(nginx.port, asked),
        send(front.port, asked),
      ]);
      return { http: comparable(one, one), nginx: comparable(other, one), gateway: comparable(third, one) };
    },
    async stop() {
      await nginx.stop();
      await gateway.close();
      http.closeAllConnections();
      http.close();
      fastcgi.closeAllConnections();
      await fastcgi[Symbol.asyncDispose]();
    },
  };
}

/** Of an answer that was cut, how much has come is up to the web server. */
function comparable({ status, headers, body, complete }: HttpAnswer, reference: HttpAnswer): Answer {
  // What is written in one turn of the event loop goes out whole, with its length. A 304 says none by FastCGI.
  const dropped = (name: string): boolean =>
    NOT_OURS.has(name) ||
    (name === 'content-length' && (status === 304 || reference.headers['content-length'] === undefined));
  const fields = Object.entries(headers).filter(([name]) => !dropped(name));
  return {
    status,
    complete,
    headers: Object.fromEntries(fields),
    body: complete ? body.toString('latin1') : '',
  };
}

const segment = fc.stringMatching(/^(?:[A-Za-z0-9_~!$&'()*+,;=:@-]|%20|%C3%A4|%61|%E2%82%AC|%25|%3B|[a-z]\.){0,8}$/);
const path = fc.array(segment, { maxLength: 4 }).map((all) => `/${all.join('/')}`.replace(/^\/\/+/, '/'));
const query = fc.option(fc.stringMatching(/^(?:[A-Za-z0-9_~!$'()*+,;=:@/?&-]|%20|%C3%A4|%00|%zz){0,20}$/), {
  nil: undefined,
});
const value = fc.stringMatching(/^[!-~\xA1-\xFF]([ -~\xA1-\xFF]{0,20}[!-~\xA1-\xFF])?$/);
const headers = fc.dictionary(
  fc.constantFrom(
    'X-A',
    'x-b',
    'X-Long-Name',
    'Accept',
    'User-Agent',
    'Referer',
    'Accept-Language',
    'If-Match',
    'Authorization',
  ),
  value,
  { maxKeys: 5 },
);
const repeated = fc.option(fc.array(value, { minLength: 2, maxLength: 4 }), { nil: undefined });
const cookies = fc.option(fc.stringMatching(/^[a-z]{1,5}=[A-Za-z0-9%]{0,8}(; [a-z]{1,5}=[A-Za-z0-9"]{0,8}){0,3}$/), {
  nil: undefined,
});
const size = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 200_000 }));

const request: fc.Arbitrary<HttpSent> = fc
  .record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
    path,
    query,
    headers,
    repeated,
    cookies,
    size,
    chunked: fc.boolean(),
    gzip: fc.boolean(),
  })
  .map(
    ({
      method,
      path: at,
      query: asked,
      headers: fields,
      repeated: several,
      cookies: cookie,
      size: bytes,
      chunked,
      gzip,
    }) => ({
      method,
      path: asked === undefined ? at : `${at}?${asked}`,
      headers: {
        ...fields,
        ...(several !== undefined && { 'X-Several': several }),
        ...(cookie !== undefined && { Cookie: cookie }),
        ...(gzip && { 'Accept-Encoding': 'gzip' }),
        ...(!/GET|HEAD|OPTIONS/.test(method) && { 'Content-Type': 'application/octet-stream' }),
      },
      ...(!/GET|HEAD|OPTIONS/.test(method) && { body: Buffer.alloc(bytes, 'body '), chunked }),
    }),
  );

const script: fc.Arbitrary<Script> = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 202, 204, 205, 206, 301, 304, 400, 404, 418, 500, 503),
  headers: fc.dictionary(fc.constantFrom('X-A', 'x-b', 'ETag', 'Cache-Control', 'Vary', 'Content-Language'), value, {
    maxKeys: 4,
  }),
  pieces: fc.array(size, { maxLength: 4 }),
  way: fc.constantFrom('whole', 'stream'),
  ends: fc.constantFrom('well', 'well', 'well', 'well', 'throw', 'cut'),
});

// Express logs errors that nobody else takes.
beforeAll(() => void jest.spyOn(console, 'error').mockImplementation(() => {}));
afterAll(() => jest.restoreAllMocks());

describe.each(FRAMEWORKS.map((framework) => [framework.name, framework] as const))('%s', (name, framework) => {
  let both: Pair;
  beforeAll(async () => {
    both = await pair(name, [await framework.listener(), await framework.listener()]);
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
        const ends = wanted.ends === 'throw' && !framework.catches ? 'well' : wanted.ends;
        // An answer can be cut only where it has a body, and one that comes in pieces.
        const cuts =
          wanted.way === 'stream' && wanted.pieces.length > 1 && (wanted.pieces[0] ?? 0) > 0 && method !== 'HEAD';
        const played = {
          ...wanted,
          ends: ends === 'cut' && (!cuts || [204, 205, 304].includes(wanted.status)) ? 'well' : ends,
        };
        const { http, ...others } = await both.ask({
          method,
          headers: { 'X-Answer': JSON.stringify(played), ...(gzip && { 'Accept-Encoding': 'gzip' }) },
        });
        fc.pre(played.ends !== 'cut' || http.status > 0); // the cut may have come before the head was under way
        expect(others).toEqual({ nginx: http, gateway: http });
        expect(http.complete).toBe(played.ends !== 'cut');
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
    both = await pair('more', [await listener(), await listener()]);
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
