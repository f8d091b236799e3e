// The process of a server: what it has said, when it is ready, and its end, which always comes.

import { spawn, type ChildProcess } from 'node:child_process';
import { basename } from 'node:path';
import type { Keeper } from './keeper.ts';
import { serverPath } from './server-path.ts';
import type { ServerUser } from './server-user.ts';

const LOG_BOUND = 256 * 1024; // characters

export interface ServerProcessOptions {
  /** Ends it with its owner. */
  keeper: Keeper;
  /** Where it runs; a folder that its user can enter. */
  folder: string;
  user: ServerUser | undefined;
  /** What goes to its stdin (default: nothing). */
  input?: string;
  /** What to say where there is no such program. */
  missing?: string;
  /** Variables of its environment, besides PATH and LC_ALL. */
  environment?: Readonly<Record<string, string>>;
  /** Gets what it writes, whole, piece by piece. */
  onLog?: ((text: string) => void) | undefined;
}

/** How a process ended. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServerProcess {
  /** It has ended, and so has everything that it had started, as far as that holds its output open. */
  readonly exited: Promise<ServerExit>;
  readonly #child: ChildProcess;
  readonly #name: string;
  #log = '';
  #failure: Error | undefined;
  #running = true;
  #changed: () => void = () => {};

  /** The server gets nothing of our environment but PATH: libpq's and PostgreSQL's variables would change what it does. */
  constructor(
    program: string,
    args: readonly string[],
    { keeper, folder, user, input, missing, environment, onLog }: ServerProcessOptions,
  ) {
    this.#name = basename(program);
    const child = spawn(program, args, {
      cwd: folder,
      env: {
        PATH: serverPath(),
        LC_ALL: 'C',
        ...environment,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // Ctrl-C is for its owner, who ends it in order
      ...(user !== undefined && { uid: user.uid, gid: user.gid }),
    });
    if (child.pid !== undefined) keeper.watch(child.pid);
    child.stdin.on('error', () => {}); // it ended without reading it
    child.stdin.end(input);
    const hear = (text: string): void => {
      this.#log = (this.#log + text).slice(-LOG_BOUND);
      onLog?.(text);
      this.#changed();
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.once('exit', () => keeper.forget());
    this.exited = new Promise((resolve) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        const message = cause.code === 'ENOENT' ? (missing ?? `there is no ${program}`) : cause.message;
        this.#failure = new Error(message, { cause });
      });
      child.once('close', (code, signal) => {
        this.#running = false;
        this.#changed();
        resolve({ code, signal });
      });
    });
    this.#child = child;
  }

  get running(): boolean {
    return this.#running;
  }

  /** Undefined when it has ended, or never ran. */
  get pid(): number | undefined {
    return this.#running ? this.#child.pid : undefined;
  }

  /** What it has said: the last 256 Ki characters of both streams. */
  get log(): string {
    return this.#log;
  }

  /** Resolves when it has said so. Rejects with its log when it ends first or takes longer (ms). */
  async says(pattern: RegExp, within: number): Promise<void> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#changed();
    }, within);
    try {
      while (!pattern.test(this.#log)) {
        if (!this.#running) throw this.failed('it ended');
        if (late) throw this.failed(`it is not ready after ${within} ms`);
        await new Promise<void>((resolve) => (this.#changed = resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves when it has ended with exit code 0. Rejects with its log when it fails, or takes longer (ms). */
  async succeeds(within: number): Promise<void> {
    const { code, signal } = await this.end([], within);
    if (code !== 0) throw this.failed(code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`);
  }

  signal(name: NodeJS.Signals): void {
    if (this.#running) this.#child.kill(name);
  }

  /**
   * Send it the first signal, and each further one when it runs on for so long (ms), SIGKILL at last. Resolves when it has
   * ended; rejects where what it has left behind has not, so long after SIGKILL.
   */
  async end(signals: readonly NodeJS.Signals[], within: number): Promise<ServerExit> {
    const [first, ...others] = signals;
    if (first !== undefined) this.signal(first);
    for (const next of [...others, 'SIGKILL' as const]) {
      if (!(await this.#endsWithin(within))) this.signal(next);
    }
    if (!(await this.#endsWithin(within))) throw this.failed('what it has started does not end');
    return this.exited;
  }

  /** An error that says what happened, and the log's end. */
  failed(what: string): Error {
    return this.#failure ?? new Error(`${this.#name}: ${what}\n${this.#log.slice(-4000)}`.trimEnd());
  }

  async #endsWithin(within: number): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, within, false)));
    const ended = await Promise.race([this.exited.then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }
}
