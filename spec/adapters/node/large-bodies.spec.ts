// Bodies of 64 MiB through nginx and a Node listener: bounded memory, slow clients, and ones that go away.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../../lib/client/index.ts';
import { answerTo, open, send, sendForJson } from '../../support/http.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { type RunningApplication, startApplication, startNginx, type WebServer } from '../../support/web-servers.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const GROWTH = 48 * MIB; // well below the size of a body
const WITHIN = 15_000;

const LIBRARY = join(__dirname, '../../../dist');

/** Tells what its requests have seen by what is asked for at /seen. */
const PROGRAM = `
  import { createHash } from 'node:crypto';
  import { signals, Application } from '${LIBRARY}/index.js';
  import { fromNode } from '${LIBRARY}/node.js';
  const seen = {};
  const counts = { started: 0, finished: 0 };
  let peak = 0;
  setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5).unref();
  const block = Buffer.alloc(65536, 'x');
  const routes = {
    '/counts': (_req, res) => res.end(JSON.stringify(counts)),
    '/seen': (req, res, name) => res.end(JSON.stringify(seen[name] ?? [])),
    '/begun': (_req, res, name) => res.end(String(name in seen)),
    '/peak': (_req, res) => { globalThis.gc?.(); peak = process.memoryUsage.rss(); res.end(String(peak)); },
    '/growth': (_req, res) => res.end(String(peak)),
    '/upload': (req, res) => {
      const hash = createHash('sha1');
      let bytes = 0;
      req.on('data', (piece) => { hash.update(piece); bytes += piece.length; });
      req.on('end', () => res.end(JSON.stringify({ bytes, hash: hash.digest('hex') })));
    },
    '/download': (req, res, size) => {
      let left = Number(size);
      const write = () => {
        while (left > 0) {
          const piece = left < block.length ? block.subarray(0, left) : block;
          left -= piece.length;
          if (!res.write(piece)) return res.once('drain', write);
        }
        res.end();
      };
      write();
    },
    '/back': (req, res) => req.pipe(res),
    '/early': (req, res) => {
      let bytes = 0;
      req.on('data', (piece) => (bytes += piece.length));
      req.prependListener('end', () => seen.early.push('read ' + bytes));
      res.end('accepted');
    },
  };
  const app = new Application();
  signals.request_started.connect(() => { counts.started += 1; });
  signals.request_finished.connect(() => { counts.finished += 1; });
  app.fallback(fromNode((req, res) => {
    const [path, argument] = req.url.split('?');
    const name = req.headers['x-name'];
    if (name) {
      const events = (seen[name] = []);
      for (const event of ['aborted', 'end', 'error', 'close']) req.on(event, () => events.push('req ' + event));
      for (const event of ['finish', 'close']) res.on(event, () => events.push('res ' + event));
    }
    routes[path](req, res, argument);
  }));
  export default app;
`;

const folder = temporaryFolder();
let application: RunningApplication;
let server: WebServer;

beforeAll(async () => {
  const file = folder.join('large.mjs');
  writeFileSync(file, PROGRAM);
  application = await startApplication(file);
  server = await startNginx({ to: application.at, streamRequests: true, streamResponses: true, maxBody: 2 * SIZE });
});
afterAll(async () => {
  await server?.stop();
  await application?.stop();
});

const number = (path: string): Promise<number> => sendForJson<number>(server.port, path);
const seenBy = (name: string): Promise<string[]> => sendForJson<string[]>(server.port, `/seen?${name}`);

/** What the events of a request are, once it has been closed. */
async function closed(name: string): Promise<string[]> {
  const deadline = Date.now() + WITHIN;
  for (;;) {
    const events = await seenBy(name);
    if (events.includes('res close') && events.includes('req close')) return events;
    if (Date.now() > deadline) throw new Error(`${name} is not closed: ${events.join()}`);
    await delay(10);
  }
}

async function growthOf(work: () => Promise<void>): Promise<number> {
  const before = await number('/peak');
  await work();
  return (await number('/growth')) - before;
}

test('an upload of 64 MiB comes whole, in bounded memory', async () => {
  const body = Buffer.alloc(SIZE, 'a body ');
  const growth = await growthOf(async () => {
    const answer = await send(server.port, { method: 'POST', path: '/upload', body });
    expect(JSON.parse(answer.body.toString())).toEqual({
      bytes: SIZE,
      hash: createHash('sha1').update(body).digest('hex'),
    });
  });
  expect(growth).toBeLessThan(GROWTH);
});

test('a download of 64 MiB comes whole, in bounded memory, to a slow client', async () => {
  const growth = await growthOf(async () => {
    const request = open(server.port, `/download?${SIZE}`);
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let bytes = 0;
    let pauses = 0;
    for await (const piece of response) {
      bytes += (piece as Buffer).length;
      if (bytes > pauses * 8 * MIB) {
        pauses += 1;
        await delay(30);
      }
    }
    expect(bytes).toBe(SIZE);
  });
  expect(growth).toBeLessThan(GROWTH);
});

test('a body of 64 MiB is piped back, in bounded memory', async () => {
  // nginx sends no more of a body when the answer has begun.
  const client = new Client({ address: application.at });
  const growth = await growthOf(async () => {
    const params = { REQUEST_METHOD: 'PUT', REQUEST_URI: '/back', CONTENT_LENGTH: String(SIZE) };
    const response = await client.request({ params, stdin: Buffer.alloc(SIZE, 'b') });
    let bytes = 0;
    for await (const piece of response.body) bytes += (piece as Buffer).length;
    expect(bytes).toBe(SIZE);
  });
  await client.close();
  expect(growth).toBeLessThan(GROWTH);
});

test('a body that is read behind the answer comes whole', async () => {
  const body = Buffer.alloc(8 * MIB);
  const headers = { 'X-Name': 'early' };
  const answer = await send(server.port, { method: 'POST', path: '/early', headers, body });
  expect(answer.body.toString()).toBe('accepted');
  expect(await closed('early')).toEqual(['res finish', 'res close', `read ${8 * MIB}`, 'req end', 'req close']);
});

test('a client that goes away while it uploads', async () => {
  const request = open(server.port, {
    method: 'POST',
    path: '/upload',
    headers: { 'X-Name': 'upload', 'Content-Length': String(SIZE) },
  });
  request.write(Buffer.alloc(MIB));
  while (!(await sendForJson<boolean>(server.port, '/begun?upload'))) await delay(5);
  request.destroy();
  expect(await closed('upload')).toEqual(['req aborted', 'res close', 'req error', 'req close']);
});

test('a client that goes away while it downloads', async () => {
  const request = open(server.port, { path: `/download?${SIZE}`, headers: { 'X-Name': 'download' } });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.on('error', () => {});
  await once(response, 'data');
  request.destroy();
  expect(await closed('download')).toEqual(['req aborted', 'res close', 'req error', 'req close']);
});

test('every request is finished once, and the process serves on', async () => {
  const request = open(server.port, { method: 'POST', path: '/upload', body: 'x' });
  request.end('x');
  expect((await answerTo(request)).status).toBe(200);
  const { started, finished } = await counts();
  expect(finished).toBe(started - 1); // all but the one that asks
});

function counts(): Promise<{ started: number; finished: number }> {
  return sendForJson(server.port, '/counts');
}
