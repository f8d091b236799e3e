// examples/demo behind both web servers: its tour, and what a browser does with its pages.

import { fileURLToPath } from 'node:url';
import { begin, send } from '../support/http.ts';
import { SpecProcess } from '../support/process.ts';
import {
  startApplication,
  startLighttpd,
  startNginx,
  type RunningApplication,
  type WebServer,
} from '../support/web-servers.ts';

const example = (name: string): string => fileURLToPath(new URL(`../../examples/demo/${name}`, import.meta.url));

describe.each([
  ['lighttpd', (to: string) => startLighttpd({ to })],
  ['nginx', (to: string) => startNginx({ to })],
])('behind %s', (_name, start) => {
  let application: RunningApplication;
  let server: WebServer;
  beforeAll(async () => {
    application = await startApplication(example('app.ts'));
    server = await start(application.at);
  });
  afterAll(async () => {
    await server?.stop();
    await application?.stop();
  });

  test('the tour finds every answer as it should be', async () => {
    const args = ['--import', 'tsx', example('tour.ts'), `http://127.0.0.1:${server.port}`];
    const tour = new SpecProcess(process.execPath, args);
    expect(await tour.finished).toEqual({ code: 0, signal: null });
    expect(tour.stdout).toContain('POST /greet  (a form)\n    200 text/html; charset=utf-8');
  });

  test('every link of a page leads to a page', async () => {
    const { body } = await send(server.port, '/');
    const links = [...body.toString().matchAll(/href="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(links).toEqual(expect.arrayContaining(['/', '/greet', '/upload', '/clock', '/count', '/fail', '/facts']));
    for (const path of links) {
      expect([path, (await send(server.port, path)).status]).toEqual([path, path === '/fail' ? 500 : 200]);
    }
  });

  test('a name with HTML in it is text', async () => {
    const body = new URLSearchParams({ name: '<script>' }).toString();
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const answer = await send(server.port, { method: 'POST', path: '/greet', body, headers });
    expect(answer.body.toString()).toContain('Hello, &#60;script&#62;!');
  });

  test('files that a browser uploads', async () => {
    const form = new FormData();
    form.append('file', new Blob(['hello']), 'a.txt');
    form.append('file', new Blob([Buffer.alloc(300_000)]), 'b.bin');
    const response = await fetch(`http://127.0.0.1:${server.port}/upload`, { method: 'POST', body: form });
    const text = await response.text();
    expect(text).toContain('a.txt<td><code>5 bytes, sha256 2cf24dba5fb0a30e');
    expect(text).toContain('b.bin<td><code>300000 bytes, sha256 ');
  });

  test('the clock ticks, and its request ends when the browser leaves', async () => {
    const clock = await begin(server.port, { path: '/clock/events', headers: { Accept: 'text/event-stream' } });
    expect(clock.headers['content-type']).toBe('text/event-stream');
    expect(await clock.piece()).toMatch(/^data: \S+/);
    expect(await clock.piece()).toMatch(/^data: \S+/);
    clock.abort();
    await unfinished(1); // the one that asks
  });

  /** Wait until so many requests are running. */
  async function unfinished(count: number): Promise<void> {
    let running = Infinity;
    while (running > count) {
      const { body } = await send(server.port, '/facts');
      const { signals } = JSON.parse(body.toString()) as { signals: Record<string, number> };
      running = (signals['request_started'] ?? 0) - (signals['request_finished'] ?? 0);
    }
  }
});
