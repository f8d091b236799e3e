// Deployment: the site of one cell, served by processes of its own.

import { appendFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Cell } from '../result.ts';
import { type Keeper, ServerProcess } from '../servers/index.ts';
import type { SiteSettings } from '../site/index.ts';

const COMMAND = fileURLToPath(new URL('../../cli.js', import.meta.url));
const SITE = new URL('../site/index.js', import.meta.url).href;

/** In the folder of a run. */
export const MODULE = 'site.mjs';
export const SITE_LOG = 'site.log';

const STARTED_WITHIN = 60_000; // ms: 8 workers that load one after the other
const SERVING = /"msg":"serving |^listening on \d+$/m;
const ENDED_WITHIN = 1500; // ms from one OS signal to the next
const STOP_TIMEOUT = 1000; // ms for requests that hang

/** It did not start, and says why. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

export interface DeploymentOptions {
  readonly cell: Cell;
  readonly settings: SiteSettings;
  /** For the module of the site. */
  readonly folder: string;
  /** The unix socket that the web server connects to. */
  readonly socket: string;
  /** Of the folder: ends the processes with their owner. */
  readonly keeper: Keeper;
}

export class Deployment {
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess) {
    this.#process = process;
  }

  /** Resolves when it serves. Rejects with RefusedError where it does not start. */
  static async start({ cell, settings, folder, socket, keeper }: DeploymentOptions): Promise<Deployment> {
    const inProcess = cell.deployment === 'in-process';
    const module = join(folder, MODULE);
    await writeFile(module, inProcess ? siteProgram(settings) : siteModule(settings));
    const words = inProcess ? [module] : [COMMAND, 'serve', module, ...serveOptions(cell, socket)];
    const log = join(folder, SITE_LOG);
    await writeFile(log, '');
    const onLog = (text: string): void => appendFileSync(log, text);
    const process = new ServerProcess(globalThis.process.execPath, words, { keeper, folder, user: undefined, onLog });
    try {
      await process.says(SERVING, STARTED_WITHIN);
    } catch {
      const { code } = await process.end(['SIGTERM'], ENDED_WITHIN);
      throw new RefusedError(reasonOf(process.log, code));
    }
    return new Deployment(process);
  }

  /** Of its own web server, where it is one: a port of 127.0.0.1. */
  get port(): number | undefined {
    const [, port] = /^listening on (\d+)$/m.exec(this.#process.log) ?? [];
    return port === undefined ? undefined : Number(port);
  }

  /** Of its arbiter, or its only process. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The end of its log. */
  get log(): string {
    return this.#process.log;
  }

  /** Resolves when it has ended, by itself or not. */
  get ended(): Promise<unknown> {
    return this.#process.exited;
  }

  /** Workers that have died by now. */
  get deaths(): number {
    return this.#process.log.match(/"msg":"a worker died/g)?.length ?? 0;
  }

  /** End it. Requests that hang get a second; then its processes are killed. */
  async stop(): Promise<void> {
    await this.#process.end(['SIGTERM', 'SIGQUIT', 'SIGQUIT'], ENDED_WITHIN);
  }
}

function siteModule(settings: SiteSettings): string {
  return `import { site } from ${JSON.stringify(SITE)};

// The thread's module: it asks the database while it is imported, unless its fix is another one.
export default await site(${JSON.stringify(settings, null, 2)});
`;
}

function siteProgram(settings: SiteSettings): string {
  return `import { serveInProcess, site } from ${JSON.stringify(SITE)};

await serveInProcess(await site(${JSON.stringify(settings, null, 2)}));
`;
}

function serveOptions({ deployment, fix, workers, maxRequests }: Cell, socket: string): string[] {
  const common = ['--listen', `unix:${socket}`, '--stop-timeout', String(STOP_TIMEOUT), '--no-control'];
  if (deployment === 'single') return ['--method', 'single', ...common];
  const replaced = maxRequests > 0 ? ['--max-requests', String(maxRequests), '--max-requests-strict'] : [];
  const guard = ['--fork-guard', fix === 'guard' ? 'refuse' : 'off'];
  return ['--method', deployment, '--workers', String(workers), ...replaced, ...guard, ...common];
}

/** What the command says on stderr when it fails, behind its log. */
function reasonOf(log: string, code: number | null): string {
  const at = log.lastIndexOf('postfork: ');
  return at < 0 ? `it ended with exit code ${code}:\n${log.slice(-4000)}` : log.slice(at + 'postfork: '.length).trim();
}
