// `postfork gateway` as a process.

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { send } from '../support/http.ts';
import { patternBytes } from '../web-servers/pattern.ts';
import { commands, statusField } from './served.ts';
import type { SpecProcess } from '../support/process.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const all = commands();

const BODY = `
  import { createHash } from 'node:crypto';
  app.get('/large', () => new HttpResponse((async function* () {
    const piece = Buffer.alloc(${MIB}, 'x');
    for (let sent = 0; sent < ${SIZE}; sent += piece.length) yield piece;
  })()));
  app.post('/hash', async (request) => {
    const hash = createHash('sha256');
    for await (const piece of request.body) hash.update(piece);
    return hash.digest('hex');
  });
  app.get('/throw', () => { throw new Error('it went \\x1b[31mwrong'); });
`;

async function started(to: string, ...args: string[]): Promise<{ gateway: SpecProcess; port: number }> {
  const gateway = all.start(['gateway', '--to', to, '--port', '0', ...args]);
  const [, port] = await gateway.says(/^http:\/\/127\.0\.0\.1:(\d+)\/ answers from /, 'stdout');
  return { gateway, port: Number(port) };
}

test('says where it is, and what is asked of it', async () => {
  const { path } = await all.serve(all.write('said.mjs', BODY));
  const { gateway, port } = await started(`unix:${path}`);
  expect(await send(port, '/pid')).toMatchObject({ status: 200 });
  expect(await send(port, '/throw')).toMatchObject({ status: 500 });
  await gateway.says(/^\d\d:\d\d:\d\d GET \/pid 200 [\d.]+ ms \d+ B\n.*GET \/throw 500 /m, 'stdout');
  await gateway.says(/^GET \/throw: it went \\x1b\[31mwrong$/m); // STDERR of the application
});

test('keeps little in memory of what is large', async () => {
  const { path } = await all.serve(all.write('large.mjs', BODY));
  const { gateway, port } = await started(`unix:${path}`);
  await send(port, '/pid');
  const peak = (): number => parseInt(statusField(gateway.pid, 'VmHWM'), 10) * 1024;
  const before = peak();
  const body = patternBytes(SIZE);
  const up = await send(port, { method: 'POST', path: '/hash', body });
  expect(up.body.toString()).toBe(createHash('sha256').update(body).digest('hex'));
  expect(await send(port, '/large')).toMatchObject({ complete: true, body: { length: SIZE } });
  expect(peak() - before).toBeLessThan(SIZE);
});

test('--timeout is for the answer to begin', async () => {
  const { path } = await all.serve(all.write('slow.mjs', ''));
  const { gateway, port } = await started(`unix:${path}`, '--timeout', '100');
  expect(await send(port, `/hold?until=${all.name('.never')}`)).toMatchObject({ status: 504 });
  await gateway.says(/ 504 1\d\d ms /, 'stdout');
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it, whoever is connected', async (signal) => {
  const { gateway, port } = await started('unix:/nowhere');
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  expect(await gateway.stop(signal)).toEqual({ code: 0, signal: null });
  await closed;
});

test.each([
  [['--to', '/run/app.sock'], /write unix:\/run\/app\.sock/],
  [['--to', 'unix:/x', '--port', '70000'], /port/i],
  [['--to', 'unix:/x', '--host', '192.0.2.1'], /192\.0\.2\.1:8080: this machine has no such address/],
  [[], /required option '-t, --to <address>'/],
])('%j cannot run', async (args, says) => {
  const { code, stderr } = await all.run(['gateway', ...args]);
  expect(code).toBe(1);
  expect(stderr).toMatch(says);
});
