// The configurations that are shipped and those that are printed: what web servers say to them, and that they agree.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { lighttpdConfig, nginxConfig, type LighttpdOptions, type NginxOptions } from '../../lib/config/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { IPV6 } from '../support/web-servers.ts';

const folder = temporaryFolder();
const PATH = `${process.env['PATH']}:/usr/local/sbin:/usr/sbin`;
const shipped = (name: string): string => fileURLToPath(new URL(`../../lighttpd/${name}`, import.meta.url));
const values = {
  POSTFORK_PORT: '8080',
  POSTFORK_SOCKET: '/run/app.sock',
  POSTFORK_COMMAND: '/usr/bin/env node cli.js serve app.mjs',
  POSTFORK_ROOT: '/srv/www',
  POSTFORK_FILES: '/srv/files',
};
const site = { to: 'unix:/run/app.sock', port: 8080, root: '/srv/www', files: '/srv/files' };

describe('lighttpd', () => {
  test('lighttpd.conf is what `postfork config lighttpd` prints', () => {
    expect(parsed(shipped('lighttpd.conf'), values)).toEqual(parsed(file(lighttpdConfig(site))));
  });

  test('spawn.conf is what `postfork config lighttpd --spawn` prints', () => {
    const spawn = values.POSTFORK_COMMAND.split(' ');
    expect(parsed(shipped('spawn.conf'), values)).toEqual(parsed(file(lighttpdConfig({ ...site, spawn }))));
  });

  test.each(Object.keys(values))('a missing %s is named', (name) => {
    const { [name as keyof typeof values]: _missing, ...others } = values;
    const { status, stderr } = lighttpd(['-p', '-f', shipped('spawn.conf')], others);
    expect(status).not.toBe(0);
    expect(stderr).toContain(name);
  });

  test.each<[string, LighttpdOptions]>([
    ['the least', { to: 'unix:/run/app.sock' }],
    ['TCP', { to: 'tcp:127.0.0.1:9000' }],
    ['IPv6', { to: 'tcp:[::1]:9000', ...(IPV6 && { host: '::1' }) }],
    ['a mount', { to: 'unix:/run/app.sock', mount: '/my.app/v1' }],
    ['spaces in paths', { to: 'unix:/run/my app.sock', root: folder.path, files: '/srv/my files' }],
    [
      'everything',
      { ...site, host: '0.0.0.0', serverName: 'example.org', streamRequests: true, streamResponses: true },
    ],
    ['spawn', { ...site, spawn: ['/usr/bin/env', 'node', 'x.mjs'], environment: { A: '1', B: 'x y' } }],
  ])('lighttpd takes %s', (_title, options) => {
    const { status, stderr } = lighttpd(['-tt', '-f', file(lighttpdConfig(options))], {});
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  function lighttpd(args: string[], environ: Record<string, string>): { status: number | null; stderr: string } {
    return spawnSync('lighttpd', args, { env: { PATH, ...environ }, encoding: 'utf8' });
  }

  /** What lighttpd has understood, without what differs by the file's place and its process. Ports may be text. */
  function parsed(path: string, environ: Record<string, string> = {}): string[] {
    const output = execFileSync('lighttpd', ['-p', '-f', path], { env: { PATH, ...environ }, encoding: 'utf8' });
    return output
      .split('\n')
      .filter((line) => !/^\s*(?:var\.(?:CWD|PID)|$)/.test(line))
      .map((line) => line.trim().replace(/\s+/g, ' ').replace('server.port = "8080"', 'server.port = 8080'));
  }
});

describe('nginx', () => {
  test.each<[string, NginxOptions]>([
    ['the least', { to: 'unix:/run/app.sock' }],
    ['TCP', { to: 'tcp:127.0.0.1:9000' }],
    ['IPv6', { to: 'tcp:[::1]:9000', ...(IPV6 && { host: '::1' }) }],
    ['a mount', { to: 'unix:/run/app.sock', mount: '/my.app/v1' }],
    ['a mount beside files', { ...site, mount: '/app' }],
    ['spaces in paths', { to: 'unix:/run/my app.sock', root: '/srv/my site', files: '/srv/my files' }],
    ['everything', { ...site, serverName: 'example.org', keepAlive: 0, streamRequests: true, streamResponses: true }],
  ])('nginx takes %s', (_title, options) => {
    const prefix = folder.join(`nginx-${count++}`);
    mkdirSync(prefix);
    writeFileSync(`${prefix}/whole.conf`, nginxConfig({ ...options, port: 8080, standalone: true }));
    writeFileSync(`${prefix}/site.conf`, nginxConfig({ ...options, port: 8080, name: 'other' }));
    writeFileSync(
      `${prefix}/with-site.conf`,
      'pid nginx.pid; events {} http { include site.conf; client_body_temp_path body; fastcgi_temp_path fastcgi; ' +
        'proxy_temp_path proxy; scgi_temp_path scgi; uwsgi_temp_path uwsgi; access_log off; }',
    );
    for (const name of ['whole.conf', 'with-site.conf']) {
      const args = ['-p', prefix, '-e', 'stderr', '-c', name, '-t', '-q'];
      const { status, stderr } = spawnSync('nginx', args, { env: { PATH }, encoding: 'utf8' });
      expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' });
    }
  });
});

let count = 0;

function file(text: string): string {
  const path = folder.join(`lighttpd-${count++}.conf`);
  writeFileSync(path, text);
  return path;
}
