// The same site as a web-standard handler, by itself and by frameworks: it tells what it was sent, and answers as the request says.

import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { Hono } from 'hono';
import { IttyRouter } from 'itty-router';
import type { Script } from '../node/frameworks.ts';
import type { PlainHandler } from './plain-http.ts';

const BODYLESS = [204, 205, 304];
const CUT_AFTER = 50; // ms, so that the head is on its way

export const HANDLERS: readonly (readonly [name: string, make: () => PlainHandler])[] = [
  ['a handler', () => site],
  ['a handler that copies its request and its response', () => copying],
  ['Hono', withHono],
  ['itty-router', withIttyRouter],
];

async function site(request: Request): Promise<Response> {
  const text = request.headers.get('X-Answer');
  return text === null ? told(request) : play(JSON.parse(text) as Script);
}

async function copying(request: Request): Promise<Response> {
  const copy = new Request(request);
  const response = await site(new Request(copy.url, copy.clone()));
  await copy.body?.cancel();
  return new Response(response.body, response);
}

function withHono(): PlainHandler {
  const app = new Hono();
  app.use(async (context, next) => {
    await next();
    context.header('X-Hono', 'yes');
  });
  app.post('/form', async (context) => context.json({ ...(await context.req.parseBody()) }));
  app.get('/cookies', (context) => {
    context.header('Set-Cookie', 'a=1; Path=/');
    context.header('Set-Cookie', 'b=2; Path=/', { append: true });
    return context.redirect('/to?a=b');
  });
  app.all('*', (context) => site(context.req.raw));
  app.onError((error, context) => context.text(`Hono: ${error.message}`, 503));
  return async (request) => app.fetch(request);
}

function withIttyRouter(): PlainHandler {
  const router = IttyRouter(); // AutoRouter's requests fail where they have no body
  router.all('*', (request: Request) => site(request));
  return (request) => router.fetch(request) as Promise<Response>;
}

async function told(request: Request): Promise<Response> {
  const hash = createHash('sha1');
  let bytes = 0;
  for await (const piece of request.body ?? []) {
    hash.update(piece);
    bytes += piece.length;
  }
  const { method, url } = request;
  const own = new Set(['host', 'connection', 'transfer-encoding', 'content-length']); // the web server's business
  const headers = [...request.headers].filter(([name]) => !own.has(name));
  const { pathname, search, host } = new URL(url);
  const told = { method, url, pathname, search, host, headers, bytes, hash: hash.digest('hex') };
  return Response.json(told, { headers: { 'X-Told': 'yes' } });
}

function play(script: Script): Response {
  if (script.ends === 'throw') throw new Error('it failed');
  const init = { status: script.status, headers: new Headers() };
  for (const [name, value] of Object.entries(script.headers)) init.headers.append(name, String(value));
  init.headers.append('Set-Cookie', 'a=1');
  init.headers.append('Set-Cookie', 'b=2');
  if (BODYLESS.includes(script.status)) return new Response(null, init);
  return new Response(script.way === 'whole' ? whole(script) : ReadableStream.from(piecesOf(script)), init);
}

async function* piecesOf({ pieces, ends }: Script): AsyncGenerator<Uint8Array> {
  for (const [i, size] of pieces.entries()) {
    yield new Uint8Array(Buffer.alloc(size, `${i}`));
    await turn();
    if (ends !== 'cut') continue;
    await new Promise((resolve) => setTimeout(resolve, CUT_AFTER));
    throw new Error('it broke off');
  }
}

function whole({ pieces }: Script): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(pieces.map((size, i) => Buffer.alloc(size, `${i}`))));
}
