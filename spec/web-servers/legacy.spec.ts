// legacy.conf, as it stands, and the command that its head names: a site of 2009 and what becomes of its paths.

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LighttpdServer, type WebServer } from '../../lib/lab/index.ts';
import { send, sendForJson } from '../support/http.ts';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const APPLICATION = fileURLToPath(new URL('legacy-application.mjs', import.meta.url));
const CONFIG = fileURLToPath(new URL('../../lighttpd/legacy.conf', import.meta.url));

const folder = temporaryFolder();
let application: SpecProcess | undefined;
let server: WebServer;

beforeAll(async () => {
  mkdirSync(folder.join('media'));
  writeFileSync(folder.join('media', 'a.css'), 'body {}\n');
  writeFileSync(folder.join('media', 'favicon.ico'), 'an icon\n');
  writeFileSync(folder.join('secret.txt'), 'nobody asks for it\n');
  const socket = folder.join('app.sock');
  const options = ['method=prefork', `socket=${socket}`, 'daemonize=false'];
  application = new SpecProcess(process.execPath, [CLI, 'runfcgi', APPLICATION, ...options]);
  await application.says(/"serving /);
  const environment = { POSTFORK_SOCKET: socket, POSTFORK_ROOT: folder.path };
  server = await LighttpdServer.create({ config: CONFIG, environment });
});
afterAll(async () => {
  await server?.remove();
  await application?.stop('SIGINT');
});

test.each([
  ['/', '/', []],
  ['/polls/7/?a=1&b=x%20y', '/polls/7/', [['a', '1'], ['b', 'x y']]], // prettier-ignore
  ['/a%20b//c%2Fd/%C3%A4?q=%26x?y', '/a%20b//c%2Fd/%C3%A4', [['q', '&x?y']]],
  ['/a%3Fb?c', '/a%3Fb', [['c', '']]],
  ['/a$1%251', '/a$1%251', []], // what a rewrite's replacement would take for its own
  ['/mediation', '/mediation', []],
])('%s is what the client asked for, at the root', async (target, path, query) => {
  expect(await sendForJson(server.port, target)).toMatchObject({ target, path, query, mount: '' });
});

test('the rewrite shows in SCRIPT_NAME and PATH_INFO only', async () => {
  expect(await sendForJson(server.port, '/variables?x=1')).toMatchObject({
    SCRIPT_NAME: '/site.fcgi',
    PATH_INFO: '/variables',
    QUERY_STRING: 'x=1',
    REQUEST_URI: '/variables?x=1',
  });
});

test('the name of the rewrite is no way in: it is a path like any other', async () => {
  const path = '/site.fcgi/variables';
  expect(await sendForJson(server.port, path)).toMatchObject({ path, mount: '' });
});

test('a body reaches the application', async () => {
  const sent = { method: 'POST', path: '/polls/7/vote?next=/', body: 'choice=2' };
  const path = '/polls/7/vote';
  expect(await sendForJson(server.port, sent)).toMatchObject({ ...sent, path, query: [['next', '/']] });
});

test.each([
  ['/media/a.css', 'body {}\n', /^text\/css/],
  ['/media/a.css?v=3', 'body {}\n', /^text\/css/],
  ['/favicon.ico', 'an icon\n', /^image\/x-icon/],
])('%s is a file beside it', async (target, text, type) => {
  const { status, headers, body } = await send(server.port, target);
  expect({ status, text: body.toString() }).toEqual({ status: 200, text });
  expect(headers['content-type']).toMatch(type);
});

test('a file that is missing from /media/ is not looked for in the application', async () => {
  const { status, body } = await send(server.port, '/media/b.css');
  expect(status).toBe(404);
  expect(body.toString()).toContain('<h1>404 Not Found</h1>'); // lighttpd's page
});

test.each(['/secret.txt', '/media/../secret.txt', '/media/..%2fsecret.txt', '/media/%2e%2e//secret.txt'])(
  '%s, a file outside of media/, is a path of the application',
  async (target) => {
    expect(await sendForJson(server.port, target)).toMatchObject({ target });
  },
);
