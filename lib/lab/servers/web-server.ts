// What web servers of one's own have in common: a folder, a free port, and their end, which always comes.

import { rm } from 'node:fs/promises';
import { onFreePort } from './free-port.ts';
import { Keeper } from './keeper.ts';
import { makeServerFolder } from './server-folder.ts';
import { ServerProcess, type ServerProcessOptions } from './server-process.ts';

/** One that runs. It opens a FastCGI connection for each request. */
export interface WebServer {
  /** Port of 127.0.0.1. */
  readonly port: number;
  /** Undefined when it has ended. */
  readonly pid: number | undefined;
  /** Its error log, with what the application writes to STDERR records: the last 256 Ki characters. */
  readonly log: string;
  /** End it at once and remove its files. May be called again. */
  remove(): Promise<void>;
}

export interface WebServerOptions {
  /** Port of 127.0.0.1 (default: a free one). */
  port?: number;
  /** Gets its error log whole, as it comes: pieces of text, not whole lines. `log` keeps only the end. */
  onLog?: (text: string) => void;
}

/** How to start one. */
export interface Launch extends Required<Pick<ServerProcessOptions, 'missing'>> {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** What it says when it listens. */
  readonly ready: RegExp;
}

const READY_WITHIN = 15_000; // ms
const STOPPED_WITHIN = 5000; // ms

/**
 * Start one, of our own user, root's too: an application's socket is for its own user. `prepare` writes what it needs into the
 * folder, which is where it runs. Rejects with what to install where there is none, and with its log where it does not start.
 */
export async function startWebServer(
  { port: wanted, onLog }: WebServerOptions,
  prepare: (port: number, folder: string) => Promise<Launch>,
): Promise<WebServer> {
  const server = new RunningWebServer();
  try {
    await onFreePort(wanted, async (port) => server.start(port, await prepare(port, server.folder), onLog));
    return server;
  } catch (error) {
    await server.remove();
    throw error;
  }
}

class RunningWebServer implements WebServer {
  readonly folder: string = makeServerFolder(undefined);
  readonly #keeper: Keeper = new Keeper(this.folder, 'TERM');
  #process: ServerProcess | undefined;
  #port = 0;
  #removed: Promise<void> | undefined;

  get port(): number {
    return this.#port;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get log(): string {
    return this.#process?.log ?? '';
  }

  async start(port: number, launch: Launch, onLog: WebServerOptions['onLog']): Promise<void> {
    const { program, args, ready, ...options } = launch;
    const place = { keeper: this.#keeper, folder: this.folder, user: undefined };
    this.#port = port;
    this.#process = new ServerProcess(program, args, { ...options, ...place, onLog });
    try {
      await this.#process.says(ready, READY_WITHIN);
    } catch (error) {
      await this.#end();
      throw error;
    }
  }

  remove(): Promise<void> {
    return (this.#removed ??= this.#remove());
  }

  async #remove(): Promise<void> {
    try {
      await this.#end();
    } finally {
      await this.#keeper.end();
      await rm(this.folder, { recursive: true, force: true });
    }
  }

  async #end(): Promise<void> {
    await this.#process?.end(['SIGTERM'], STOPPED_WITHIN);
  }
}
