// The ways an application is run behind web servers, all started the same way.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  serveCommand,
  startApplication,
  startLighttpd,
  startLighttpdWith,
  startNginx,
  type WebServer,
} from '../support/web-servers.ts';

export const APPLICATION: string = fileURLToPath(new URL('application.ts', import.meta.url));

interface FrontEndOptions {
  /** The path that the web server hands to the application. Default: the root. */
  mount?: string;
  streamRequests?: boolean;
  streamResponses?: boolean;
  /** Folder of the web server's own files. */
  root?: string;
  /** Folder that the application may send files from. */
  files?: string;
}

/** `lighttpd`, `lighttpd, spawned`, `nginx, kept`, `nginx, not kept`. */
export interface FrontEnd {
  readonly name: string;
  readonly server: 'lighttpd' | 'nginx';
  start(options?: FrontEndOptions): Promise<WebServer>;
}

const LIGHTTPD: FrontEnd = { name: 'lighttpd', server: 'lighttpd', start: (options) => behindLighttpd(options) };
export const SPAWNED: FrontEnd = {
  name: 'lighttpd, spawned',
  server: 'lighttpd',
  start: (options) => byLighttpd(options),
};
const NGINX: FrontEnd = { name: 'nginx, kept', server: 'nginx', start: (options) => behindNginx(16, options) };
const NGINX_NOT_KEPT: FrontEnd = {
  name: 'nginx, not kept',
  server: 'nginx',
  start: (options) => behindNginx(0, options),
};
export const FRONT_ENDS: readonly FrontEnd[] = [LIGHTTPD, SPAWNED, NGINX, NGINX_NOT_KEPT];

const SHIPPED = fileURLToPath(new URL('../../lighttpd', import.meta.url));

/** With the configuration that is shipped, unless it is to be another one. */
async function behindLighttpd(options: FrontEndOptions = {}): Promise<WebServer> {
  const application = await startApplication(APPLICATION, ...mountFlag(options));
  const path = application.at.replace('unix:', '');
  return together(
    Object.keys(options).length > 0
      ? startLighttpd({ to: application.at, ...options })
      : startLighttpdWith((_port, folder) => `include "${join(SHIPPED, 'lighttpd.conf')}"\n${local(folder)}`, {
          POSTFORK_SOCKET: path,
          POSTFORK_ROOT: SHIPPED,
          POSTFORK_FILES: SHIPPED,
        }),
    () => application.stop(),
  );
}

async function byLighttpd(options: FrontEndOptions = {}): Promise<WebServer> {
  const folder = mkdtempSync(join(tmpdir(), 'postfork-'));
  const socket = join(folder, 'app.sock');
  const command = serveCommand(APPLICATION, ...mountFlag(options));
  return together(
    Object.keys(options).length > 0
      ? startLighttpd({ to: `unix:${socket}`, spawn: command, ...options })
      : startLighttpdWith((_port, files) => `include "${join(SHIPPED, 'spawn.conf')}"\n${local(files)}`, {
          POSTFORK_COMMAND: command.join(' '),
          POSTFORK_SOCKET: socket,
          POSTFORK_ROOT: SHIPPED,
          POSTFORK_FILES: SHIPPED,
        }),
    async () => rmSync(folder, { recursive: true, force: true }),
  );
}

async function behindNginx(keepAlive: number, options: FrontEndOptions = {}): Promise<WebServer> {
  const application = await startApplication(APPLICATION, ...mountFlag(options));
  return together(startNginx({ to: application.at, keepAlive, ...options }), () => application.stop());
}

/** What a shipped configuration leaves to the machine: loopback only, and a folder for large bodies. */
function local(folder: string): string {
  return `server.bind = "127.0.0.1"\nserver.upload-dirs = ( "${folder}" )`;
}

function mountFlag(options: FrontEndOptions): string[] {
  return options.mount === undefined ? [] : ['--mount', options.mount];
}

/** One stop for both. Where the web server does not start, the application is stopped at once. */
async function together(starting: Promise<WebServer>, stopOther: () => Promise<void>): Promise<WebServer> {
  try {
    const server = await starting;
    return {
      port: server.port,
      pid: server.pid,
      get errorLog() {
        return server.errorLog;
      },
      logged: (pattern) => server.logged(pattern),
      stop: async () => {
        await server.stop();
        await stopOther();
      },
    };
  } catch (error) {
    await stopOther();
    throw error;
  }
}
