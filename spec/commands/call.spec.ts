// `postfork call` as a process: what it sends and what it shows.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, HttpResponse, serve, type Serving } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { postfork } from './programs.ts';

const folder = temporaryFolder();
let serving: Serving;
let address: string;

beforeAll(async () => {
  const app = new Application();
  app.get('/', () => HttpResponse.text('hällo', { headers: { 'X-A': '1' } }));
  app.post('/echo', async (request) =>
    HttpResponse.json({ body: await request.text(), type: request.header('Content-Type') }),
  );
  app.get('/environ', (request) => HttpResponse.json(Object.fromEntries(request.environ)));
  app.get('/throw', () => {
    throw new Error('it went wrong');
  });
  app.authorize((request) => HttpResponse.text('', { status: request.header('X-Key') === 'right' ? 200 : 403 }));
  app.filter(async (request) => HttpResponse.text(`${(await request.data.bytes(100)).toString().toUpperCase()}`));
  address = `unix:${join(folder.path, 'app.sock')}`;
  serving = await serve(app, { listen: address });
});
afterAll(() => serving.close({ timeout: 0 }));

async function call(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const process = postfork('call', ...args);
  const { code } = await process.exited;
  await process.stop();
  return { code, stdout: process.stdout, stderr: process.stderr };
}

test('shows head and body on stdout, END_REQUEST on stderr', async () => {
  const { code, stdout, stderr } = await call(address);
  expect(code).toBe(0);
  expect(stdout).toBe(
    'Status: 200 OK\nX-A: 1\nContent-Type: text/plain; charset=utf-8\nContent-Length: 6\n\nhällo'.replace(
      'X-A: 1\nContent-Type: text/plain; charset=utf-8',
      'Content-Type: text/plain; charset=utf-8\nX-A: 1',
    ),
  );
  expect(stderr).toBe('END_REQUEST: REQUEST_COMPLETE, appStatus 0\n');
});

test('-b shows the body and nothing else', async () => {
  expect(await call(address, 'GET', '/', '-b')).toEqual({ code: 0, stdout: 'hällo', stderr: '' });
});

test('-v shows the records', async () => {
  const { stderr } = await call(address, '-v');
  expect(stderr.split('\n').map((line) => line.replace(/\s+/g, ' '))).toEqual([
    '> BEGIN_REQUEST id 1, 8 bytes',
    expect.stringMatching(/^> PARAMS id 1, \d+ bytes$/),
    '> PARAMS id 1, 0 bytes',
    '> STDIN id 1, 0 bytes',
    expect.stringMatching(/^< STDOUT id 1, \d+ bytes$/),
    '< STDOUT id 1, 0 bytes',
    '< END_REQUEST id 1, 8 bytes',
    'END_REQUEST: REQUEST_COMPLETE, appStatus 0',
    '',
  ]);
});

test('shows STDERR and appStatus of a request that failed; --fail makes it exit 22', async () => {
  const { code, stdout, stderr } = await call(address, 'GET', '/throw', '--fail');
  expect(stdout).toMatch(/^Status: 500 Internal Server Error\n/);
  expect(stderr).toBe('STDERR: GET /throw: it went wrong\nEND_REQUEST: REQUEST_COMPLETE, appStatus 1\n');
  expect(code).toBe(22);
  expect((await call(address, 'GET', '/', '--fail')).code).toBe(0);
});

test('sends a body, given or from a file, and headers', async () => {
  const type = ['-H', 'Content-Type: text/plain; charset=utf-8'];
  const given = await call(address, 'post', '/echo', '-b', '-d', 'grüße', ...type);
  expect(JSON.parse(given.stdout)).toEqual({ body: 'grüße', type: 'text/plain; charset=utf-8' });
  const file = join(folder.path, 'body.txt');
  writeFileSync(file, 'from a file');
  const fromFile = await call(address, 'POST', '/echo', '-b', '-d', `@${file}`, ...type);
  expect(JSON.parse(fromFile.stdout)).toMatchObject({ body: 'from a file' });
});

test('sends the variables of a web server, and those given', async () => {
  const { stdout } = await call(address, 'GET', '/environ?a=b', '-b', '-e', 'HTTPS=on', '-H', 'X-Long-Name: v');
  expect(JSON.parse(stdout)).toMatchObject({
    GATEWAY_INTERFACE: 'CGI/1.1',
    REQUEST_METHOD: 'GET',
    REQUEST_URI: '/environ?a=b',
    QUERY_STRING: 'a=b',
    SCRIPT_NAME: '',
    PATH_INFO: '/environ',
    HTTPS: 'on',
    HTTP_X_LONG_NAME: 'v',
  });
});

test('speaks the other roles', async () => {
  expect((await call(address, '--role', 'authorizer', '-H', 'X-Key: right', '-f')).code).toBe(0);
  expect((await call(address, '--role', 'authorizer', '-f')).code).toBe(22);
  const file = join(folder.path, 'data.txt');
  writeFileSync(file, 'filtered');
  expect((await call(address, '--role', 'filter', '--file', file, '-b')).stdout).toBe('FILTERED');
});

test.each([
  [['unix:/nowhere/app.sock'], /CONNECT_FAILED: .*is the application running\?/],
  [['/nowhere/app.sock'], /BAD_ADDRESS: .*write unix:\/nowhere\/app\.sock/],
  [['unix:/x', 'GET', '/', '-H', 'nonsense'], /--header nonsense: write it as "Name: value"/],
  [['unix:/x', 'GET', '/', '-d', '@/nowhere'], /ENOENT.*\/nowhere/],
])('%j fails with exit 1 and says what to do', async (args, message) => {
  const { code, stderr } = await call(...args);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
});

test('an answer that comes before standard input has ended ends the call', async () => {
  const cli = join(__dirname, '../../dist/cli.js');
  const child = spawn(process.execPath, [cli, 'call', address, 'POST', '/none', '-d', '@-', '-b']);
  child.stdin.write('the beginning of a body that goes on');
  child.stdin.on('error', () => {}); // nobody reads the rest
  const [code] = (await once(child, 'exit')) as [number];
  child.stdin.destroy();
  expect(code).toBe(0);
});
