// `postfork config`: prints a working configuration of a web server for an application.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Argument, Command, Option } from 'commander';
import { lighttpdConfig, nginxConfig, type SiteOptions } from '../config/index.ts';
import { positive } from './arguments.ts';

interface ConfigFlags extends Omit<SiteOptions, 'to'> {
  to: string;
  spawn?: string;
  keepAlive?: number;
  standalone?: boolean;
  user?: string;
}

const DEFAULT_PLACE = 'unix:/run/app.sock';

export function configCommand(): Command {
  return new Command('config')
    .description('print a working, commented configuration of a web server for an application')
    .addArgument(new Argument('<web-server>', 'which web server').choices(['lighttpd', 'nginx']))
    .option('-t, --to <place>', 'where the application listens: unix:/path or tcp:host:port', DEFAULT_PLACE)
    .option('-p, --port <n>', "the web server's port", positive, 80)
    .option('--host <address>', 'address the web server binds to (default: all)')
    .option('-n, --server-name <name>', 'name of the site (default: any)')
    .option('-m, --mount <path>', 'path the application is at, such as /app (default: /)')
    .option('--root <folder>', 'folder of files that the web server serves by itself')
    .option('--static-path <path>', 'with --root and no --mount: where they are (default: /static/)')
    .option('--files <folder>', 'folder that the application may send files from (X-Sendfile, X-Accel-Redirect)')
    .option('--stream-requests', 'hand request bodies on as they arrive')
    .option('--stream-responses', 'hand answers on no faster than the client takes them')
    .option('--max-body <bytes>', 'largest request body that may pass (default: 64 MiB)', positive)
    .addOption(new Option('--spawn <application>', 'lighttpd: start this application itself, on descriptor 0'))
    .addOption(
      new Option('--keep-alive <n>', 'nginx: connections that each worker keeps (default: 16)').argParser(Number),
    )
    .addOption(new Option('--standalone', 'nginx: a whole configuration, not one for its conf.d folder'))
    .addOption(new Option('--user <name>', 'nginx, with --standalone: the user its workers run as'))
    .addHelpText(
      'after',
      `
Examples:
  $ postfork config nginx --to unix:/run/app.sock --server-name example.org > /etc/nginx/conf.d/app.conf
  $ postfork config lighttpd --to unix:/run/app.sock --port 8080 > lighttpd.conf && lighttpd -D -f lighttpd.conf
  $ postfork config lighttpd --spawn app.mjs --port 8080 > lighttpd.conf`,
    )
    .action((webServer: string, flags: ConfigFlags) => {
      process.stdout.write(webServer === 'nginx' ? nginx(flags) : lighttpd(flags));
    });
}

function lighttpd({
  spawn,
  keepAlive: _keepAlive,
  standalone: _standalone,
  user: _user,
  ...site
}: ConfigFlags): string {
  if (spawn === undefined) return lighttpdConfig(site);
  const command = fileURLToPath(new URL('../cli.js', import.meta.url));
  return lighttpdConfig({ ...site, spawn: [process.execPath, command, 'serve', resolve(spawn), ...mountFlag(site)] });
}

/** What lighttpd starts must know its mount. */
function mountFlag({ mount }: Partial<SiteOptions>): string[] {
  return mount === undefined ? [] : ['--mount', mount];
}

function nginx({ spawn, ...options }: ConfigFlags): string {
  if (spawn !== undefined) throw new Error('nginx starts no applications: leave --spawn out and run `postfork serve`');
  return nginxConfig(options);
}
