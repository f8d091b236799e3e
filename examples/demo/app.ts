// A small application to look at in a browser: scripts/demo runs it behind a web server.

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Application, errorPage, eventStream, HttpResponse, requestId, signals, type HttpRequest } from 'postfork';
import { page, table } from './page.ts';

const app = new Application();

// Django's signals, counted. request_finished comes exactly once for each request, however it ends.
const counts = { request_started: 0, request_finished: 0, got_request_exception: 0 };
signals.request_started.connect(() => void counts.request_started++);
signals.request_finished.connect(() => void counts.request_finished++);
signals.got_request_exception.connect(() => void counts.got_request_exception++);

app.use(requestId());
app.use(errorPage({ development: process.env.NODE_ENV !== 'production' }));
// A middleware of our own: each answer says how long it took.
app.use(async (request, next) => {
  const start = performance.now();
  const response = await next(request);
  response.headers.set('Server-Timing', `app;dur=${(performance.now() - start).toFixed(2)}`);
  return response;
});

app.get('/', (request) => {
  const server = request.environ.get('SERVER_SOFTWARE') ?? 'unknown';
  const rows: [string, string][] = [
    ['asked for', `${request.method} ${request.target}`],
    ['web server', server],
    ['client', request.remoteAddress],
    ['process', `${process.pid}, Node ${process.versions.node}, up ${Math.round(process.uptime())} s`],
    ...Object.entries(counts).map(([name, count]): [string, string] => [name, String(count)]),
  ];
  const variables = table([...request.environ].sort(([a], [b]) => a.localeCompare(b)));
  return page(
    request.mount,
    'What this request is',
    `${table(rows)}<h1>Its CGI variables</h1>${variables}<p>Or <a href="${request.mount}/facts">JSON</a>.`,
  );
});

app.get('/facts', (request) => ({
  method: request.method,
  target: request.target,
  server: request.environ.get('SERVER_SOFTWARE'),
  pid: process.pid,
  signals: counts,
}));

app.get('/greet', (request) => page(request.mount, 'A form', GREET_FORM));
app.post('/greet', async (request) => {
  const name = (await request.form()).get('name') || 'nobody';
  return page(request.mount, `Hello, ${name}!`, GREET_FORM);
});

app.get('/upload', (request) => page(request.mount, 'An upload', UPLOAD_FORM));
app.post('/upload', async (request) => {
  const files: [string, string][] = [];
  for await (const part of request.multipart()) {
    if (part.kind === 'file') files.push([part.filename, await checksum(part.stream)]);
  }
  return page(request.mount, 'What arrived', table(files) + UPLOAD_FORM);
});
// The body as it is: curl -T file http://.../upload
app.put('/upload', async (request) => `${await checksum(request.body)}\n`);

app.get('/clock', (request) => page(request.mount, 'Server-sent events', clock(`${request.mount}/clock/events`)));
app.get('/clock/events', (request) => eventStream(request, ticks(request)));

app.get('/count', () => HttpResponse.stream(counting(10), { headers: STREAMED }));

app.get('/fail', () => {
  throw new Error('this page fails on purpose; the web server has it in its error log');
});

/** The time, once a second, until the client leaves. */
async function* ticks(request: HttpRequest): AsyncGenerator<string> {
  while (!request.aborted) {
    yield new Date().toLocaleTimeString();
    await delay(1000);
  }
}

/** Lines that come one by one. */
async function* counting(to: number): AsyncGenerator<string> {
  for (let line = 1; line <= to; line++) {
    yield `line ${line} of ${to}\n`;
    await delay(100);
  }
}

/** Length and SHA-256 of a stream, which is never in memory as a whole. */
async function checksum(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  let length = 0;
  for await (const piece of stream) {
    hash.update(piece);
    length += piece.length;
  }
  return `${length} bytes, sha256 ${hash.digest('hex')}`;
}

const STREAMED = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Accel-Buffering': 'no' };
const GREET_FORM = `<form method="post"><label>Name <input name="name" autofocus></label> <button>Greet</button></form>`;
const UPLOAD_FORM = `<form method="post" enctype="multipart/form-data">
  <input type="file" name="file" multiple required> <button>Upload</button>
</form>`;
const clock = (events: string): string => `<p>The time where the application runs: <strong id="time">...</strong></p>
<script>
  new EventSource('${events}').onmessage = ({ data }) => (document.getElementById('time').textContent = data);
</script>`;

export default app;
