// The same application under Node's http, and by FastCGI behind nginx and our gateway: what each answers to the same request.

import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { Gateway } from '../../lib/gateway/index.ts';
import { type HttpAnswer, type HttpSent, send } from '../support/http.ts';
import { startNginx, type WebServer } from '../support/web-servers.ts';
import type { Script } from './node/frameworks.ts';

const HOST = 'example.org';
// Between the web server and its client.
const NOT_OURS = new Set(['date', 'connection', 'keep-alive', 'transfer-encoding', 'server']);

const NO_ANSWER: HttpAnswer = { status: 0, headers: {}, body: Buffer.alloc(0), complete: false };

type Answer = Pick<HttpAnswer, 'status' | 'headers' | 'complete'> & { body: string };

export interface Pair {
  /** What is to be the same of the two answers to a request. */
  ask(sent: HttpSent): Promise<{ http: Answer; nginx: Answer; gateway: Answer }>;
  stop(): Promise<void>;
}

/** What serves by FastCGI at a unix socket. */
export interface Fastcgi {
  readonly socket: string;
  /** Give up what runs. */
  stop(): Promise<void>;
}

export async function pair(listener: RequestListener, fastcgi: Fastcgi): Promise<Pair> {
  const http = createHttpServer(listener);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const to = `unix:${fastcgi.socket}`;
  const nginx: WebServer = await startNginx({ to });
  const gateway = new Gateway({ to });
  const front = await gateway.listen({ port: 0 });
  const { port } = http.address() as AddressInfo;
  return {
    async ask(sent) {
      const asked = { ...sent, headers: { Host: HOST, ...sent.headers } };
      // One after the other: they may have a session in common.
      const one = await send(port, asked).catch(() => NO_ANSWER);
      const other = await send(nginx.port, asked);
      const third = await send(front.port, asked);
      return { http: comparable(one, one), nginx: comparable(other, one), gateway: comparable(third, one) };
    },
    async stop() {
      await nginx.stop();
      await gateway.close();
      http.closeAllConnections();
      http.close();
      await fastcgi.stop();
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

export const request: fc.Arbitrary<HttpSent> = fc
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

export const script: fc.Arbitrary<Script> = fc.record({
  status: fc.constantFrom(200, 200, 200, 201, 202, 204, 205, 206, 301, 304, 400, 404, 418, 500, 503),
  headers: fc.dictionary(fc.constantFrom('X-A', 'x-b', 'ETag', 'Cache-Control', 'Vary', 'Content-Language'), value, {
    maxKeys: 4,
  }),
  pieces: fc.array(size, { maxLength: 4 }),
  way: fc.constantFrom('whole', 'stream'),
  ends: fc.constantFrom('well', 'well', 'well', 'well', 'throw', 'cut'),
});

/** An answer can be cut only where it has a body, and one that comes in pieces. `catches`: whether a `throw` is answered. */
export function played(wanted: Script, method: string, catches: boolean): Script {
  const ends = wanted.ends === 'throw' && !catches ? 'well' : wanted.ends;
  const cuts = wanted.way === 'stream' && wanted.pieces.length > 1 && (wanted.pieces[0] ?? 0) > 0 && method !== 'HEAD';
  return { ...wanted, ends: ends === 'cut' && (!cuts || [204, 205, 304].includes(wanted.status)) ? 'well' : ends };
}
