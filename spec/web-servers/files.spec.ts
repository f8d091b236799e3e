// Files that the web server sends: its own below /static/, and those that the application names.

import { mkdirSync, writeFileSync } from 'node:fs';
import { send, sendForJson } from '../support/http.ts';
import { temporaryFolder } from '../support/temporary.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS } from './front-ends.ts';

const folder = temporaryFolder();

beforeAll(() => {
  mkdirSync(folder.join('the site', 'static'), { recursive: true });
  mkdirSync(folder.join('private files'));
  writeFileSync(folder.join('the site', 'static', 'a.css'), 'body {}\n');
  writeFileSync(folder.join('the site', 'not-static.txt'), 'nobody asks for it\n');
  writeFileSync(folder.join('private files', 'a b%ü.txt'), 'a private file\n');
});

describe.each(FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd] as const))('%s', (_name, frontEnd) => {
  let server: WebServer;
  beforeAll(async () => {
    server = await frontEnd.start({ root: folder.join('the site'), files: folder.join('private files') });
  });
  afterAll(() => server?.stop());

  test('a file below /static/ is the web server’s', async () => {
    const { status, headers, body } = await send(server.port, '/static/a.css');
    expect({ status, text: body.toString() }).toEqual({ status: 200, text: 'body {}\n' });
    expect(headers['content-type']).toMatch(/^text\/css/);
    expect((await send(server.port, '/static/b.css')).status).toBe(404);
  });

  test('other paths are the application’s, files or not', async () => {
    expect(await sendForJson(server.port, '/not-static.txt')).toMatchObject({ path: '/not-static.txt' });
  });

  test('a file that the application names is sent by the web server', async () => {
    const { status, headers, body } = await send(server.port, fileTarget('a b%ü.txt'));
    expect({ status, text: body.toString() }).toEqual({ status: 200, text: 'a private file\n' });
    expect(headers['content-type']).toMatch(/^text\/plain/);
    expect([headers['x-sendfile'], headers['x-accel-redirect']]).toEqual([undefined, undefined]);
  });

  test('the web server answers a range of it', async () => {
    const path = fileTarget('a b%ü.txt');
    const { status, headers, body } = await send(server.port, { path, headers: { Range: 'bytes=2-8' } });
    expect({ status, text: body.toString() }).toEqual({ status: 206, text: 'private' });
    expect(headers['content-range']).toBe('bytes 2-8/15');
  });

  test('a client cannot ask for it by itself', async () => {
    const { status, body } = await send(server.port, '/postfork-files/a%20b%25%C3%BC.txt');
    expect(body.toString()).not.toContain('a private file');
    expect(status).toBe(frontEnd.server === 'nginx' ? 404 : 200); // lighttpd has no such path: it is the application's
  });

  function fileTarget(path: string): string {
    return `/file?${new URLSearchParams({ path, root: folder.join('private files'), server: frontEnd.server }).toString()}`;
  }
});
