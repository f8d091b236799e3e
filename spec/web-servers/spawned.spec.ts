// An application that lighttpd starts: its descriptor 0, its environment, its end and its next life.

import { send, sendForJson } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { SPAWNED } from './front-ends.ts';

interface Process {
  pid: number;
  environ: Record<string, string>;
}

let server: WebServer;
beforeEach(async () => {
  server = await SPAWNED.start();
});
afterEach(() => server?.stop());

test('it serves descriptor 0', async () => {
  await send(server.port, '/');
  expect(await server.logged(/"at":"([^"]*)"/)).toContain('fd:0');
});

test('of lighttpd’s environment it has PATH only, besides what the configuration adds', async () => {
  const { environ } = await sendForJson<Process>(server.port, '/process');
  expect(environ['PATH']).toBeDefined();
  expect(environ['NODE_ENV']).toBe('production');
  expect(environ).not.toHaveProperty('POSTFORK_PORT'); // which lighttpd has
});

test('it ends by itself when lighttpd ends', async () => {
  const { pid } = await sendForJson<Process>(server.port, '/process');
  process.kill(server.pid, 'SIGTERM');
  const [, how] = await server.logged(new RegExp(`"pid":${pid}.*"msg":"stopping: (\\w+)"`));
  expect(how).toBe('SIGTERM');
  expect(await server.logged(new RegExp(`"pid":${pid}.*"msg":"stopped"`))).toHaveLength(1);
});

test('one that was killed is started again', async () => {
  const { pid } = await sendForJson<Process>(server.port, '/process');
  process.kill(pid, 'SIGKILL');
  await server.logged(/"at":"fd:0"[^]*"at":"fd:0"/);
  const next = await sendForJson<Process>(server.port, '/process');
  expect(next.pid).not.toBe(pid);
});
