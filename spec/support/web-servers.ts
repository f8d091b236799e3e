// Real web servers for specs, and applications in processes of their own for them.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lighttpdConfig, nginxConfig, type LighttpdOptions, type NginxOptions } from '../../lib/config/index.ts';
import { SpecProcess } from './process.ts';

/** A web server that accepts connections on 127.0.0.1. */
export interface WebServer {
  readonly port: number;
  readonly pid: number;
  /** What it has logged as errors; an application that it has started writes there too. */
  readonly errorLog: string;
  /** Resolves when the error log has a match; rejects after a bounded time. */
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  /** End it, with what it has started, and remove its files. */
  stop(): Promise<void>;
}

/** An application that listens. */
export interface RunningApplication {
  /** In the form of `to` in lib/config and of `--listen`. */
  readonly at: string;
  readonly process: SpecProcess;
  stop(): Promise<void>;
}

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const ATTEMPTS = 20;

/** Whether the loopback interface has IPv6; in containers it often has not. */
export const IPV6: boolean = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);

/**
 * Words of a command that serves an application module by the built `postfork`, in one process unless `--method` says
 * otherwise. Options of `postfork serve` may follow.
 */
export function serveCommand(module: string, ...options: string[]): string[] {
  if (!existsSync(CLI)) throw new Error(`${CLI} is not there: run npm run build`);
  const method = options.includes('--method') ? [] : ['--method', 'single'];
  return ['/usr/bin/env', 'node', CLI, 'serve', module, ...method, ...options];
}

/** Start `postfork serve`, on a unix socket unless `--listen` is among the options. Resolves when it accepts connections. */
export async function startApplication(module: string, ...options: string[]): Promise<RunningApplication> {
  const folder = mkdtempSync(join(tmpdir(), 'postfork-'));
  const place = options.includes('--listen') ? [] : ['--listen', `unix:${join(folder, 'app.sock')}`];
  const [command = '', ...args] = serveCommand(module, ...place, ...options);
  const process = new SpecProcess(command, args);
  const stop = async (): Promise<void> => {
    await process.stop('SIGINT');
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [, at = ''] = await process.says(/"at":"([^"]+)".*"serving /);
    return { at, process, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** lighttpd with what lib/config makes of these options. */
export function startLighttpd(options: Omit<LighttpdOptions, 'port' | 'host'>): Promise<WebServer> {
  return startLighttpdWith((port) => lighttpdConfig({ ...options, host: '127.0.0.1', port }));
}

/** lighttpd with a configuration of the spec's own, which gets the port. `environ`: what it reads by `env.`. */
export function startLighttpdWith(
  configuration: (port: number, folder: string) => string,
  environ: Readonly<Record<string, string>> = {},
): Promise<WebServer> {
  return start((port, folder) => {
    const file = join(folder, 'lighttpd.conf');
    writeFileSync(file, `${configuration(port, folder)}\nserver.pid-file = "${join(folder, 'pid')}"\n`);
    return new SpecProcess('lighttpd', ['-D', '-f', file], {
      environ: { ...environ, POSTFORK_PORT: String(port) },
      cwd: folder,
      missing: 'lighttpd is not installed: run scripts/setup',
    });
  });
}

/** nginx with what lib/config makes of these options. */
export function startNginx(options: Omit<NginxOptions, 'port' | 'host' | 'standalone' | 'user'>): Promise<WebServer> {
  return start((port, folder) => {
    const user = process.getuid?.() === 0 ? { user: userInfo().username } : {}; // only root may choose, and must
    const text = nginxConfig({ ...options, ...user, standalone: true, host: '127.0.0.1', port });
    writeFileSync(join(folder, 'nginx.conf'), text.replace('pid nginx.pid;', 'pid pid;'));
    const directives = 'daemon off; error_log stderr warn;';
    return new SpecProcess('nginx', ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf', '-g', directives], {
      missing: 'nginx is not installed: run scripts/setup',
    });
  });
}

/**
 * A port is free only until somebody else takes it, so a web server that could not bind is started again on another one.
 * Ready is when its own pid file is written: both servers do that after they listen, so nobody else's listener can be
 * taken for theirs.
 */
async function start(launch: (port: number, folder: string) => SpecProcess): Promise<WebServer> {
  for (let attempt = 1; ; attempt++) {
    const folder = mkdtempSync(join(tmpdir(), 'postfork-'));
    const port = candidatePort();
    const server = launch(port, folder);
    const stop = async (): Promise<void> => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    };
    try {
      await server.until(() => read(join(folder, 'pid')).trim() === String(server.pid));
      return {
        port,
        pid: server.pid,
        get errorLog() {
          return server.stderr;
        },
        logged: (pattern) => server.says(pattern),
        stop,
      };
    } catch (error) {
      await stop();
      if (attempt === ATTEMPTS || !/address already in use/i.test(server.stderr)) throw error;
    }
  }
}

/** Below the ports that systems give to those who ask for any: only another web server of a spec can have it. */
function candidatePort(): number {
  return 20_000 + Math.floor(Math.random() * 12_000);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
