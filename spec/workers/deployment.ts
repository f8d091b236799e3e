// Deployment: `postfork serve` with the application of these specs, behind a real nginx and a real lighttpd.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askControl } from '../../lib/daemon/index.ts';
import type { ArbiterStatus } from '../../lib/prefork/index.ts';
import { byFastCgi, byHttp, type Way } from '../support/load.ts';
import { send } from '../support/http.ts';
import { until } from '../support/processes.ts';
import {
  startApplication,
  startLighttpd,
  startNginx,
  type RunningApplication,
  type WebServer,
} from '../support/web-servers.ts';

/** Each proof is shown for each of them; fork is Linux's. */
export const METHODS: readonly string[] = process.platform === 'linux' ? ['spawn', 'fork'] : ['spawn'];

const PROGRAM = new URL('programs/application.mjs', import.meta.url).href;
const READY = /a worker is ready/g;

/** What the application's module is to be. */
export interface Code {
  /** Comes back in each answer. Default 1. */
  version?: number;
  /** ms that the module takes to load, in each process that does it. Default 0. */
  load?: number;
  /** ms from there until a worker serves. Default 0. */
  startup?: number;
  /** The module throws an Error with this message instead. */
  broken?: string;
}

/** What a worker's process noted of a request. */
export interface Note {
  readonly pid: number;
  readonly step: 'begin' | 'end';
  readonly nonce: string;
}

export class Deployment {
  readonly #folder: string = mkdtempSync(join(tmpdir(), 'postfork-'));
  readonly #method: string;
  readonly #servers: WebServer[] = [];
  readonly #applications: RunningApplication[] = [];

  constructor(method: string) {
    this.#method = method;
  }

  /** Start an arbiter with two workers, unless the options say otherwise; the one before has ended, or has been killed. */
  async start(code: Code, ...options: string[]): Promise<void> {
    this.write(code);
    const files = ['--listen', this.at, '--control', this.#control, '--pid-file', this.pidFile];
    const workers = options.includes('--workers') ? [] : ['--workers', '2'];
    const words = ['--method', this.#method, ...workers, ...files, ...options];
    this.#applications.push(await startApplication(this.#module, ...words));
  }

  async nginx(): Promise<WebServer> {
    const server = await startNginx({ to: this.at });
    this.#servers.push(server);
    return server;
  }

  async lighttpd(): Promise<WebServer> {
    const server = await startLighttpd({ to: this.at });
    this.#servers.push(server);
    return server;
  }

  /** The last arbiter that was started. */
  get arbiter(): RunningApplication['process'] {
    return (this.#applications.at(-1) as RunningApplication).process;
  }

  get at(): string {
    return `unix:${this.socket}`;
  }

  get socket(): string {
    return join(this.#folder, 'app.sock');
  }

  get pidFile(): string {
    return join(this.#folder, 'pid');
  }

  get #control(): string {
    return join(this.#folder, 'control');
  }

  get #module(): string {
    return join(this.#folder, 'app.mjs');
  }

  /** Those that should be gone when the arbiter is. */
  get files(): string[] {
    return [this.socket, this.pidFile, this.#control].filter((path) => existsSync(path));
  }

  /** Change the application's code on disk. */
  write({ version = 1, load = 0, startup = 0, broken }: Code): void {
    const options = JSON.stringify({ folder: this.#folder, version, startup });
    const lines = [
      `import { application } from ${JSON.stringify(PROGRAM)};`,
      broken !== undefined && `throw new Error(${JSON.stringify(broken)});`,
      load > 0 && `await new Promise((resolve) => setTimeout(resolve, ${load}));`,
      `export default application(${options});`,
    ];
    writeFileSync(this.#module, `${lines.filter(Boolean).join('\n')}\n`);
  }

  /** Let a request that was asked as `/held/NONCE` be answered. */
  release(nonce: string): void {
    writeFileSync(join(this.#folder, nonce), '');
  }

  /** What the workers have noted so far, in the order of time. */
  notes(): Note[] {
    const path = join(this.#folder, 'journal');
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => {
      const [pid, step, nonce] = line.split(' ') as [string, Note['step'], string];
      return { pid: Number(pid), step, nonce };
    });
  }

  /** Resolves with the process in which a request has begun. */
  async begun(nonce: string): Promise<number> {
    const find = (): Note | undefined => this.notes().find((note) => note.nonce === nonce);
    await until(`${nonce} begins`, () => find() !== undefined);
    return (find() as Note).pid;
  }

  async status(): Promise<ArbiterStatus> {
    return (await askControl(this.#control)) as ArbiterStatus;
  }

  /** Resolves with the status when it is as it should be. */
  async settled(what: string, holds: (status: ArbiterStatus) => boolean): Promise<ArbiterStatus> {
    let status = await this.status();
    await until(what, async () => holds((status = await this.status())));
    return status;
  }

  /** Resolves when there are so many workers, all of one generation and all serving; with their process ids. */
  async serving(count: number = 2): Promise<number[]> {
    const { workers } = await this.settled(`${count} workers`, ({ state, generation, workers }) => {
      const fine = workers.every((worker) => worker.state === 'ready' && worker.generation === generation);
      return state === 'running' && fine && workers.length === count;
    });
    return workers.map(({ pid }) => pid);
  }

  /** Replace the workers by ones of this code; resolves when the log says so. */
  async reload(code: Code): Promise<void> {
    this.write(code);
    const before = this.logged(/"reloaded"/g);
    this.arbiter.signal('SIGHUP');
    await this.arbiter.until(() => this.logged(/"reloaded"/g) > before);
  }

  /** How often the log has said something. */
  logged(pattern: RegExp): number {
    return [...this.arbiter.stderr.matchAll(pattern)].length;
  }

  /** How many workers have been made that served. */
  get made(): number {
    return this.logged(READY);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) await server.stop();
    for (const application of this.#applications.splice(0)) await application.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Clients through web servers, over kept connections and without: `each` of either kind for each. */
export function ways(each: number, nginx?: WebServer, lighttpd?: WebServer): Way[] {
  const all: Way[] = [];
  for (let count = 0; count < each; count++) {
    for (const kept of [true, false]) {
      if (nginx !== undefined) all.push(byHttp('nginx', nginx.port, kept));
      if (lighttpd !== undefined) all.push(byHttp('lighttpd', lighttpd.port, kept));
    }
  }
  return all;
}

/** Clients that speak FastCGI to the application by themselves, so many. */
export function directly(app: Deployment, count: number): Way[] {
  return Array.from({ length: count }, () => byFastCgi(app.at));
}

interface Got {
  status: number;
  text: string;
}

/** One request of a spec's own, apart from the load. */
export function get(server: WebServer, path: string): Promise<Got> {
  return once(server, 'GET', path);
}

/** One that no web server tries a second time: that may be at another worker (RFC 9110, 9.2.2). */
export function post(server: WebServer, path: string): Promise<Got> {
  return once(server, 'POST', path);
}

async function once(server: WebServer, method: string, path: string): Promise<Got> {
  const { status, body } = await send(server.port, { method, path, ...(method === 'POST' && { body: '' }) });
  return { status, text: body.toString() };
}
