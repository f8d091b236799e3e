// A process that a spec starts: what it has said, when it says something, and its end, which always comes.

import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const STARTED_WITHIN = 15_000;
const STOPPED_WITHIN = 10_000;
const POLL = 10;

export interface ProcessOptions {
  /** Variables besides those of the spec's own environment. */
  environ?: Readonly<Record<string, string>>;
  cwd?: string;
  /** What to say where there is no such program. */
  missing?: string;
}

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class SpecProcess {
  /** It has ended; what it has started may go on. */
  readonly exited: Promise<Exit>;
  /** It has ended, and everything that it and what it has started had to say has come. */
  readonly finished: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #name: string;
  #stdout = '';
  #stderr = '';
  #exit: Exit | undefined;
  #failure: Error | undefined;
  #silent = false; // nobody has its output open any more
  #watchers: (() => void)[] = [];

  constructor(command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.#name = command;
    this.#child = spawn(command, args, {
      // Web servers are where users without rights do not look for programs.
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/local/sbin:/usr/sbin`, ...options.environ },
      cwd: options.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, so that nothing it has started can outlive it
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#changed();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#changed();
    });
    const closed = new Promise<void>((resolve) => {
      this.#child.once('close', () => {
        this.#silent = true;
        this.#changed();
        resolve();
      });
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (cause: NodeJS.ErrnoException) => {
        const message = cause.code === 'ENOENT' ? (options.missing ?? `there is no ${command}`) : cause.message;
        this.#failure = new Error(message, { cause });
        this.#ended({ code: null, signal: null }, resolve);
      });
      this.#child.once('exit', (code, signal) => this.#ended({ code, signal }, resolve));
    });
    this.finished = closed.then(() => this.exited);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /**
   * Resolves when its stderr, or stdout, has a match. Rejects when it, and what it has started, end without one, or after a
   * bounded time.
   */
  async says(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stderr'): Promise<RegExpExecArray> {
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      this.#changed();
    }, STARTED_WITHIN);
    try {
      for (;;) {
        const match = pattern.exec(this[stream]);
        if (match !== null) return match;
        if (this.#silent || late) throw this.#unexpected(`${String(pattern)} is not in its ${stream}`);
        await new Promise<void>((resolve) => this.#watchers.push(resolve));
      }
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Resolves when a condition outside of the process holds. Rejects when it ends first, or after a bounded time. */
  async until(holds: () => boolean): Promise<void> {
    const deadline = Date.now() + STARTED_WITHIN;
    while (!holds()) {
      if (!this.running) throw this.#unexpected('it ended');
      if (Date.now() > deadline) throw this.#unexpected('it is not ready');
      await delay(POLL);
    }
  }

  signal(name: NodeJS.Signals): void {
    if (this.running) this.#child.kill(name);
  }

  /** End it by a signal, by force where it takes too long, and whatever it has left of its group. */
  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.signal(name);
    const force = setTimeout(() => this.#killGroup(), STOPPED_WITHIN);
    const exit = await this.exited;
    clearTimeout(force);
    this.#killGroup();
    return exit;
  }

  #killGroup(): void {
    try {
      if (this.#child.pid !== undefined) process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // nobody is left
    }
  }

  #ended(exit: Exit, resolve: (exit: Exit) => void): void {
    this.#exit ??= exit;
    this.#changed();
    resolve(exit);
  }

  #changed(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }

  #unexpected(what: string): Error {
    if (this.#failure !== undefined) return this.#failure;
    const ended = this.#exit === undefined ? '' : ` (exit ${this.#exit.code ?? this.#exit.signal})`;
    return new Error(`${this.#name}${ended}: ${what}\n${this.#stdout}${this.#stderr}`);
  }
}
