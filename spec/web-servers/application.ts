// The application that the specs of this folder run behind web servers, in a process of its own.

import { createHash } from 'node:crypto';
import { Application, eventStream, HttpError, HttpResponse, sendFile, signals, type HttpRequest } from 'postfork';
import { pattern, patternBytes } from './pattern.ts';

const app = new Application();

const counts = { started: 0, finished: 0, exceptions: 0 };
signals.request_started.connect(() => void counts.started++);
signals.request_finished.connect(() => void counts.finished++);
signals.got_request_exception.connect(() => void counts.exceptions++);

/** What one request waits for and another one brings about, by name. */
class Latches {
  readonly #latches: Map<string, { opened: Promise<void>; open: () => void }> = new Map();

  opened(name: string): Promise<void> {
    return this.#latch(name).opened;
  }

  open(name: string): void {
    this.#latch(name).open();
  }

  #latch(name: string): { opened: Promise<void>; open: () => void } {
    const known = this.#latches.get(name);
    if (known !== undefined) return known;
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const latch = { opened, open };
    this.#latches.set(name, latch);
    return latch;
  }
}

const latches = new Latches();
const id = (request: HttpRequest): string => request.params['id'] ?? '';

/** Any other path: the request as it was understood. */
app.fallback(async (request) => {
  const hash = createHash('sha256');
  let length = 0;
  for await (const piece of request.body) {
    hash.update(piece);
    length += piece.length;
  }
  return {
    method: request.method,
    target: request.target,
    path: request.path,
    mount: request.mount,
    query: [...request.query],
    headers: Object.fromEntries(request.headers),
    proxy: request.header('Proxy') ?? null,
    under: request.header('X-Under') ?? null,
    contentLength: request.contentLength ?? null,
    remoteAddress: request.remoteAddress,
    scheme: request.scheme,
    authorizedUser: request.environ.get('AUTHORIZED_USER') ?? null,
    length,
    sha256: hash.digest('hex'),
  };
});

app.get('/variables', (request) => Object.fromEntries(request.environ));
app.get('/counts', () => counts);
app.get('/process', () => ({ pid: process.pid, environ: process.env }));

const asStream = async function* (pieces: Iterable<Buffer>): AsyncGenerator<Buffer> {
  yield* pieces;
};

app.get('/large/whole/:bytes', (request) => new HttpResponse(patternBytes(Number(request.params['bytes']))));
app.get('/large/stream/:bytes', (request) => HttpResponse.stream(asStream(pattern(Number(request.params['bytes'])))));

app.get('/status/:status', (request) => new HttpResponse(undefined, { status: Number(request.params['status']) }));
app.get('/not-modified', () => new HttpResponse('not sent', { status: 304, headers: { ETag: '"1"' } }));
app.get('/redirect', () => HttpResponse.redirect('/elsewhere?a=b c', { status: 303 }));
app.get('/redirect-away', () => HttpResponse.redirect('https://example.org/ü'));
app.get('/cookies', () =>
  HttpResponse.text('two').setCookie('a', '1', { httpOnly: true }).setCookie('b', 'x y', { path: '/b' }),
);
app.get('/many-headers', () =>
  HttpResponse.text('many', {
    headers: Object.fromEntries([...Array(50).keys()].map((n) => [`X-${n}`, 'v'.repeat(100)])),
  }),
);
app.get('/hop-by-hop', () =>
  HttpResponse.text('framed', { headers: { Connection: 'close', 'Transfer-Encoding': 'chunked', 'Keep-Alive': 'x' } }),
);

/** A file that the web server sends, asked for in its own way. */
app.get('/file', (request) => {
  const { path = '', root = '', server = '' } = Object.fromEntries(request.query);
  const sendfile = server === 'nginx' ? { header: 'X-Accel-Redirect', prefix: '/postfork-files/', root } : 'X-Sendfile';
  return sendFile(request, path, { root, sendfile });
});

app.get('/throw', () => {
  throw new Error('thrown on purpose');
});
app.get('/http-error', () => {
  throw new HttpError(409, 'it is taken');
});
app.get('/bad-header', () => HttpResponse.text('x', { headers: { 'X-Bad': 'a\r\nSet-Cookie: evil=1' } }));

/** Breaks behind the first piece of its body, when the latch is open. */
async function* breaking(latch: string): AsyncGenerator<string> {
  yield 'the beginning, ';
  await latches.opened(latch);
  throw new Error('broken on purpose');
}
app.get('/break/known-length', () =>
  HttpResponse.stream(breaking('known-length'), { headers: { 'Content-Length': '1000' } }),
);
app.get('/break/unknown-length', () => HttpResponse.stream(breaking('unknown-length')));

/** Answers without having read anything of the body. */
app.post('/early', () => {
  throw new HttpError(413, 'too much');
});

/** Two pieces; the second one when the client has opened the latch. */
app.get('/pieces/:id', (request) =>
  HttpResponse.stream(
    (async function* () {
      yield 'first ';
      await latches.opened(id(request));
      yield 'second';
    })(),
    { headers: { 'X-Accel-Buffering': 'no' } },
  ),
);
app.get('/events/:id', (request) =>
  eventStream(request, async (events) => {
    void events.send({ event: 'hello', data: '1' });
    await latches.opened(id(request));
    void events.send('2');
  }),
);

/** Says nothing until it is given up, or its latch is open. */
app.get('/silent/:id', async (request) => {
  const aborted = new Promise<void>((resolve) => request.signal.addEventListener('abort', () => resolve()));
  latches.open(`${id(request)}-started`);
  await Promise.race([aborted, latches.opened(id(request))]);
  latches.open(request.aborted ? `${id(request)}-aborted` : `${id(request)}-ended`);
  return 'nobody reads this';
});
/** Never ends by itself. */
app.get('/endless/:id', (request) =>
  HttpResponse.stream(
    (async function* () {
      try {
        for (;;) {
          yield 'x'.repeat(1000);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      } finally {
        latches.open(`${id(request)}-left`);
      }
    })(),
    { headers: { 'X-Accel-Buffering': 'no' } },
  ),
);
/** Tells of the body's first bytes before the last ones have come. */
app.post('/upload/:id', async (request) => {
  let length = 0;
  for await (const piece of request.body) {
    if (length === 0) latches.open(`${id(request)}-begun`);
    length += piece.length;
  }
  return { length, contentLength: request.contentLength ?? null };
});

app.post('/open/:id', (request) => {
  latches.open(id(request));
  return HttpResponse.empty();
});
/** Answers once the latch is open. */
app.get('/opened/:id', async (request) => {
  await latches.opened(id(request));
  return HttpResponse.empty();
});

export default app;
