// The command as a whole: help that is enough to get going, and `postfork config`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { postfork } from './programs.ts';

async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const process = postfork(...args);
  const { code } = await process.exited;
  await process.stop();
  return { code, stdout: process.stdout, stderr: process.stderr };
}

test('--version is the package version', async () => {
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8')) as { version: string };
  expect((await run('--version')).stdout).toBe(`${version}\n`);
});

test('--help names every verb and shows an application from writing to calling it', async () => {
  const { code, stdout } = await run('--help');
  expect(code).toBe(0);
  for (const verb of ['serve', 'call', 'config']) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'));
  expect(stdout).toContain('export default app;');
});

test.each(['serve', 'call', 'config'])('%s --help has examples', async (verb) => {
  expect((await run(verb, '--help')).stdout).toMatch(new RegExp(`Examples:\\n  \\$ postfork ${verb} `));
});

test('an unknown verb exits with 1 and says where help is', async () => {
  const { code, stderr } = await run('sreve');
  expect(code).toBe(1);
  expect(stderr).toMatch(/Did you mean serve\?[^]*postfork --help/);
});

describe('config', () => {
  test('nginx: the socket, the port, the mount and the name that were given', async () => {
    const args = ['--to', 'unix:/run/x.sock', '--port', '8080', '--mount', '/app', '--server-name', 'example.org'];
    const { code, stdout } = await run('config', 'nginx', ...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/server "?unix:\/run\/x\.sock"?;/);
    expect(stdout).toContain('listen 8080;');
    expect(stdout).toContain('server_name example.org;');
    expect(stdout).toContain('fastcgi_param SCRIPT_NAME       "/app";');
  });

  test('lighttpd --spawn: starts the application by this very command', async () => {
    const { stdout } = await run('config', 'lighttpd', '--spawn', 'app.mjs', '--mount', '/app');
    expect(stdout).toContain(
      `${process.execPath} ${join(__dirname, '../../dist/cli.js')} serve ${join(process.cwd(), 'app.mjs')}`,
    );
    expect(stdout).toContain('--mount /app');
  });

  test('what no configuration can be made of is refused with what to write', async () => {
    expect((await run('config', 'nginx', '--to', 'nonsense')).stderr).toMatch(/write unix:\/run\/app\.sock/);
    expect((await run('config', 'nginx', '--spawn', 'x.mjs')).stderr).toMatch(/nginx starts no applications/);
    expect((await run('config', 'apache')).stderr).toMatch(/lighttpd, nginx/);
  });
});
