// The same site by each of the frameworks: it tells what it was sent, and answers as the request says.

import { createHash } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import connect from 'connect';
import express from 'express';
import Koa from 'koa';
import { fastify } from 'fastify';

/** How to answer. It comes as JSON in the header X-Answer; without it, the answer tells what was sent. */
export interface Script {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Bytes of the body's pieces. */
  readonly pieces: readonly number[];
  /** `whole`: in one go. `stream`: a piece in each turn of the event loop. */
  readonly way: 'whole' | 'stream';
  /** `throw`: an error before the head. `cut`: one behind the first piece. */
  readonly ends: 'well' | 'throw' | 'cut';
}

export interface Framework {
  readonly name: string;
  /** Whether it makes an answer of an error that a handler throws. */
  readonly catches: boolean;
  /** A new application, ready to be asked. */
  readonly listener: () => Promise<RequestListener>;
}

const STATIC = join(__dirname, '../../../lib/adapters');
const require = createRequire(__filename);
const untyped = <T>(name: string): T => require(name) as T; // they have no types of their own
type Layer = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void;

export const FRAMEWORKS: readonly Framework[] = [
  { name: 'http', catches: false, listener: async () => plain },
  { name: 'connect', catches: true, listener: async () => withConnect() },
  { name: 'express', catches: true, listener: async () => withExpress() },
  { name: 'koa', catches: true, listener: async () => withKoa() },
  { name: 'fastify', catches: true, listener: withFastify },
];

function plain(request: IncomingMessage, response: ServerResponse): void {
  void (async () => {
    const script = scriptOf(request);
    if (script !== undefined) return play(script, response);
    const text = JSON.stringify(await told(request));
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(text);
  })();
}

function withConnect(): RequestListener {
  const app = connect();
  app.use(untyped<() => Layer>('compression')());
  app.use('/static', untyped<(root: string) => Layer>('serve-static')(STATIC));
  app.use(failing);
  app.use(plain);
  app.use(((_error, _request, response, _next) => {
    response.statusCode = 500;
    response.end('it failed');
  }) as connect.ErrorHandleFunction);
  return app;
}

function withExpress(): RequestListener {
  const app = express();
  const multer = untyped<(options: object) => { any(): express.RequestHandler }>('multer');
  const session = untyped<(options: object) => express.RequestHandler>('express-session');
  app.set('env', 'production');
  app.set('trust proxy', true);
  app.use(untyped<(options: object) => express.RequestHandler>('compression')({ threshold: 500 }));
  app.use('/static', express.static(STATIC));
  app.use(
    session({
      secret: 'a secret',
      resave: false,
      saveUninitialized: false,
      genid: (request: IncomingMessage) => request.headers['x-id'],
    }),
  );
  app.post('/json', express.json(), (request, response) => void response.json({ got: request.body as unknown }));
  app.post('/form', express.urlencoded({ extended: true }), (request, response) => void response.json(request.body));
  app.post('/upload', multer({ limits: { fileSize: 100_000 } }).any(), (request, response) => {
    const { files, body } = request as unknown as { files: { originalname: string; buffer: Buffer }[]; body: unknown };
    response.json({ body, files: files.map(({ originalname, buffer }) => [originalname, digest(buffer)]) });
  });
  app.get('/session', (request, response) => {
    const held = (request as unknown as { session: { count?: number } }).session;
    held.count = (held.count ?? 0) + 1;
    response.cookie('seen', String(held.count), { httpOnly: true }).send(`seen ${held.count}`);
  });
  app.get('/redirect', (_request, response) => response.redirect('/to?a=ä'));
  app.get('/send/:name', (request, response) => response.sendFile(request.params.name, { root: STATIC }));
  app.get('/download', (_request, response) => response.download(join(STATIC, 'index.ts'), 'ä.ts'));
  app.use(failing);
  app.use(async (request, response) => {
    const script = scriptOf(request);
    if (script?.ends === 'well' && script.way === 'whole' && response.statusCode === 200) {
      response
        .status(script.status)
        .set(script.headers as Record<string, string>)
        .send(bodyOf(script));
    } else plain(request, response);
  });
  return app as unknown as RequestListener;
}

function withKoa(): RequestListener {
  const app = new Koa();
  app.silent = true;
  app.use(async (context) => {
    const script = scriptOf(context.req);
    if (script === undefined) {
      context.body = await told(context.req);
      return;
    }
    context.status = script.status;
    context.set(script.headers as Record<string, string>);
    if (script.ends === 'throw') throw Object.assign(new Error('it failed'), { status: 503, expose: true });
    context.body = script.way === 'whole' ? bodyOf(script) : Readable.from(piecesOf(script));
  });
  const listener = app.callback();
  return (request, response) => void listener(request, response);
}

async function withFastify(): Promise<RequestListener> {
  const app = fastify({ bodyLimit: 1024 * 1024 });
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.removeContentTypeParser('text/plain');
  app.all('*', async (request, reply) => {
    const script = scriptOf(request.raw);
    if (script === undefined)
      return request.body === undefined || request.body === null ? told(request.raw) : { got: request.body };
    void reply.code(script.status).headers(script.headers as Record<string, string>);
    if (script.ends === 'throw') throw new Error('it failed');
    return reply.send(script.way === 'whole' ? bodyOf(script) : Readable.from(piecesOf(script)));
  });
  await app.ready();
  return (request, response) => app.routing(request, response);
}

/** What was sent, less what is the web server's own business. */
async function told(request: IncomingMessage): Promise<object> {
  const { host, connection, 'transfer-encoding': framing, 'content-length': length, ...headers } = request.headers;
  const hash = createHash('sha1');
  let bytes = 0;
  for await (const piece of request) {
    hash.update(piece as Buffer);
    bytes += (piece as Buffer).length;
  }
  const known = host !== undefined && (length !== undefined || framing !== undefined || bytes === 0);
  const own = connection === undefined || /^(?:close|keep-alive)$/i.test(connection);
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  return { method: request.method, url: request.url, headers: sorted, bytes, hash: hash.digest('hex'), known, own };
}

async function play(script: Script, response: ServerResponse): Promise<void> {
  response.writeHead(script.status, script.headers as Record<string, string>);
  if (script.way === 'whole') {
    response.end(bodyOf(script));
    return;
  }
  let first = true;
  for await (const piece of piecesOf({ ...script, ends: 'well' })) {
    if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    if (first && script.ends === 'cut') return void setTimeout(() => response.destroy(), 50);
    first = false;
  }
  response.end();
}

const failing: Layer = (request, _response, next) => {
  next(scriptOf(request)?.ends === 'throw' ? Object.assign(new Error('it failed'), { status: 503 }) : undefined);
};

function scriptOf(request: IncomingMessage): Script | undefined {
  const text = request.headers['x-answer'];
  return typeof text === 'string' ? (JSON.parse(text) as Script) : undefined;
}

async function* piecesOf({ pieces, ends }: Script): AsyncGenerator<Buffer> {
  for (const [i, size] of pieces.entries()) {
    yield Buffer.alloc(size, `${i}`);
    await turn();
    if (ends === 'cut') {
      await new Promise((resolve) => setTimeout(resolve, 50)); // so that the head is on its way
      throw new Error('it broke off');
    }
  }
}

function bodyOf({ pieces }: Script): Buffer {
  return Buffer.concat(pieces.map((size, i) => Buffer.alloc(size, `${i}`)));
}

function digest(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}
