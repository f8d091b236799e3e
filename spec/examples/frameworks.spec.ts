// examples/frameworks: each framework's application, unchanged, behind a real lighttpd and a real nginx.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { startLighttpd, startNginx, type WebServer } from '../support/web-servers.ts';

const ROOT = join(__dirname, '../..');
const EXAMPLES = join(ROOT, 'examples/frameworks');
const CLI = join(ROOT, 'dist/cli.js');
const names = readdirSync(EXAMPLES)
  .map((file) => file.replace(/\.ts$/, ''))
  .filter((name) => name !== 'tour');

test('there is one for each', () => {
  expect(names).toEqual(['connect', 'express', 'fastify', 'h3', 'hono', 'itty-router', 'koa', 'server']);
});

describe.each(names)('%s', (name) => {
  const folder = temporaryFolder();
  let application: SpecProcess;
  const servers: WebServer[] = [];

  beforeAll(async () => {
    const at = `unix:${folder.join(`${name}.sock`)}`;
    const verb = name === 'server' ? 'run' : 'serve';
    const words = [verb, join(EXAMPLES, `${name}.ts`), '--listen', at, '--no-control'];
    application = new SpecProcess(process.execPath, [CLI, ...words]);
    await application.says(/"serving /);
    servers.push(await startLighttpd({ to: at }), await startNginx({ to: at }));
  });
  afterAll(async () => {
    for (const server of servers) await server.stop();
    await application.stop('SIGTERM');
  });

  test.each([0, 1])('web server %#: a page, a body both ways, an answer in pieces', async (which) => {
    const url = `http://127.0.0.1:${(servers[which] as WebServer).port}`;
    const page = await fetch(`${url}/`);
    expect([page.status, await page.text()]).toEqual([200, expect.stringMatching(/^Hello from \S+/)]);
    const echo = await fetch(`${url}/echo`, {
      method: 'POST',
      body: '{"a":[1,"ä"]}',
      headers: { 'Content-Type': 'application/json' },
    });
    expect([echo.status, await echo.json()]).toEqual([200, { a: [1, 'ä'] }]);
    const stream = await fetch(`${url}/stream`);
    expect([stream.status, await stream.text()]).toEqual([200, 'piece 1\npiece 2\npiece 3\n']);
  });

  test('what it does not know is a 404, and an error of its own a 500', async () => {
    const url = `http://127.0.0.1:${(servers[0] as WebServer).port}`;
    const statuses = [(await fetch(`${url}/nothing/here`)).status, (await fetch(`${url}/error`)).status];
    expect(statuses).toEqual([name === 'connect' ? 200 : 404, name === 'server' ? 404 : 500]);
  });
});
