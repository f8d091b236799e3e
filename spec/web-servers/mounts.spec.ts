// An application at /app: what is its own, what is the web server's, and what each of them takes for it.

import { send, sendForJson } from '../support/http.ts';
import type { WebServer } from '../support/web-servers.ts';
import { FRONT_ENDS } from './front-ends.ts';

const inside = [
  { target: '/app', path: '/' },
  { target: '/app/', path: '/' },
  { target: '/app/x?a=1', path: '/x' },
  { target: '/app/a%20b//c%2Fd', path: '/a%20b//c%2Fd' },
  { target: '/app/app/x', path: '/app/x' },
  { target: '/%61pp/x', path: '/x' },
  { target: '/app/a/../b', path: '/a/../b' },
];

describe.each(FRONT_ENDS.map((frontEnd) => [frontEnd.name, frontEnd] as const))('%s', (_name, frontEnd) => {
  let server: WebServer;
  beforeAll(async () => {
    server = await frontEnd.start({ mount: '/app' });
  });
  afterAll(() => server?.stop());

  test.each(inside)('$target is $path of the application', async ({ target, path }) => {
    expect(await sendForJson(server.port, target)).toMatchObject({ target, path, mount: '/app' });
  });

  test('a body reaches the application', async () => {
    const answer = await send(server.port, { method: 'POST', path: '/app/x', body: 'hello' });
    expect(JSON.parse(answer.body.toString())).toMatchObject({ path: '/x', length: 5 });
  });

  test('SCRIPT_NAME is the mount, PATH_INFO the decoded rest (RFC 3875, 4.1.5 and 4.1.13)', async () => {
    const variables = await sendForJson(server.port, '/app/variables?x=1');
    expect(variables).toMatchObject({ SCRIPT_NAME: '/app', PATH_INFO: '/variables', QUERY_STRING: 'x=1' });
  });

  test.each(['/', '/other', '/apple', '/app/../other', '/ap'])('%s is not the application’s', async (target) => {
    const before = await started();
    expect((await send(server.port, target)).status).toBe(404);
    expect(await started()).toBe(before + 1); // the one that asks
  });

  // The web server decodes and tidies a path before it compares it with the mount; the application goes by what the client
  // sent. Where the two disagree nobody is served something else than what was asked for.
  test.each(['/x/../app/y', '//app/x'])('%s, which only the web server takes for it, is 404', async (target) => {
    const answer = await send(server.port, target);
    expect({ status: answer.status, text: answer.body.toString() }).toEqual({ status: 404, text: '404 Not Found\n' });
  });

  async function started(): Promise<number> {
    return (await sendForJson<{ started: number }>(server.port, '/app/counts')).started;
  }
});
