// An nginx of one's own in front of an application, that ends with the process that started it.

import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { nginxConfig } from '../../config/index.ts';
import { startWebServer, type WebServer, type WebServerOptions } from './web-server.ts';

export interface NginxServerOptions extends WebServerOptions {
  /** Where the application listens: `unix:/run/app.sock`, `tcp:127.0.0.1:9000`. */
  to: string;
}

// To stderr as well, down to the notice that its worker is there.
const DIRECTIVES = 'daemon off; error_log stderr notice;';

export const NginxServer = {
  /**
   * Start one, with what `postfork config nginx` prints, and one connection for each request, as lighttpd has it. Rejects with
   * what to install where there is none, and with its log where it does not start.
   */
  create({ to, ...options }: NginxServerOptions): Promise<WebServer> {
    const worker = process.geteuid?.() === 0 ? { user: userInfo().username } : {}; // only root may choose, and must
    return startWebServer(options, async (port, folder) => {
      const config = nginxConfig({ to, port, host: '127.0.0.1', keepAlive: 0, standalone: true, ...worker });
      await writeFile(`${folder}/nginx.conf`, config);
      return {
        program: 'nginx',
        args: ['-p', folder, '-e', 'stderr', '-c', 'nginx.conf', '-g', DIRECTIVES],
        missing: 'nginx is not installed: apt-get install nginx, or scripts/setup',
        ready: /start worker process \d/,
      };
    });
  },
} as const;
