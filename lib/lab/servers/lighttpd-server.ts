// A lighttpd of one's own with a given configuration, that ends with the process that started it.

import { readFile, writeFile } from 'node:fs/promises';
import { startWebServer, type WebServer, type WebServerOptions } from './web-server.ts';

export interface LighttpdServerOptions extends WebServerOptions {
  /** Path of a configuration, one file, that takes its port from POSTFORK_PORT and logs to stderr: those of lighttpd/ do. */
  config: string;
  /** What else the configuration reads by `env.`: POSTFORK_SOCKET, POSTFORK_ROOT. */
  environment: Readonly<Record<string, string>>;
}

// Added to it: not for others on the network, and a folder of its own for large bodies, whose path may have any character.
// (To include it would not do: lighttpd takes the path for a pattern.)
const ADDED = `
server.bind := "127.0.0.1"
server.upload-dirs := ( env.LAB_FOLDER )
`;

export const LighttpdServer = {
  /** Start one. Rejects with what to install where there is none, and with its log where it does not start. */
  create({ config, environment, ...options }: LighttpdServerOptions): Promise<WebServer> {
    return startWebServer(options, async (port, folder) => {
      await writeFile(`${folder}/lighttpd.conf`, (await readFile(config, 'utf8')) + ADDED);
      return {
        program: 'lighttpd',
        args: ['-D', '-f', 'lighttpd.conf'],
        environment: { ...environment, POSTFORK_PORT: String(port), LAB_FOLDER: folder },
        missing: 'lighttpd is not installed: apt-get install lighttpd, or scripts/setup',
        ready: /server started/,
      };
    });
  },
} as const;
