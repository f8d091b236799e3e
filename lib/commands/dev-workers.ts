// DevWorkers: the worker of `postfork dev`, with the code as it is now; and why there is none, where that does not load.

import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  Arbiter,
  blockedStack,
  findNative,
  spawnSource,
  type ArbiterOptions,
  type Program,
  type WorkerProcess,
} from '../prefork/index.ts';
import { DevOutput } from './dev-output.ts';

export interface DevWorkersOptions {
  program: Program;
  /** For the application to load, in ms. */
  bootTimeout: number;
  /** For the terminal. */
  say: (text: string) => void;
}

const SETTLE = 50; // ms in which a change may be followed by others: editors and compilers write several files
const OUTDATED = 1000; // ms for code to load that has changed meanwhile: it may never end
const LEAVING = 500; // ms to wait for the old worker: it accepts nobody any more long before
const STOP_TIMEOUT = 2000; // ms for what runs to end
const GRACE = 1000; // ms after that for receivers; what blocks its process hears of nothing
const BLOCKED = 15_000; // ms

export class DevWorkers {
  readonly #options: DevWorkersOptions;
  readonly #output: DevOutput = new DevOutput();
  readonly #processes: Set<WorkerProcess> = new Set();
  readonly #changed: Set<string> = new Set();
  #arbiter: Arbiter | undefined;
  #problem: string | undefined;
  #renewing: Promise<void> | undefined;
  #again = false;
  #outdated: () => void = () => {}; // what loads is not the code any more
  #stopped = false;

  constructor(options: DevWorkersOptions) {
    this.#options = options;
  }

  /** Load the code as it is now. `path`: what has changed. Many changes at a time are one. */
  renew(path?: string): void {
    if (this.#stopped) return;
    if (path !== undefined) this.#changed.add(basename(path));
    this.#again = true;
    this.#outdated();
    this.#renewing ??= this.#renewAll().finally(() => (this.#renewing = undefined));
  }

  /** Why the application does not load; undefined where it serves. Resolves when the code as it is now has been tried. */
  async problem(): Promise<string | undefined> {
    while (this.#renewing !== undefined) await this.#renewing;
    return this.#problem;
  }

  /** Resolves when no worker is left. */
  async stop(timeout: number): Promise<void> {
    this.#stopped = true;
    const late = setTimeout(() => this.#kill(() => true), timeout + GRACE);
    await this.#arbiter?.stop(timeout);
    await this.#renewing;
    clearTimeout(late);
  }

  async #renewAll(): Promise<void> {
    while (this.#again && !this.#stopped) {
      await delay(SETTLE);
      this.#again = false;
      const what = [...this.#changed].slice(0, 3).join(', ');
      this.#changed.clear();
      await this.#try(what);
    }
  }

  async #try(what: string): Promise<void> {
    const begun = performance.now();
    const before = [...this.#processes];
    this.#output.recent.length = 0;
    let late: NodeJS.Timeout | undefined;
    this.#outdated = () => (late ??= setTimeout(() => this.#kill((worker) => !before.includes(worker)), OUTDATED));
    try {
      await this.#load().finally(() => {
        this.#outdated = () => {};
        clearTimeout(late);
      });
      setTimeout(() => this.#kill((worker) => before.includes(worker)), STOP_TIMEOUT + GRACE).unref();
      // What is asked for now is not to be answered by the code before.
      await Promise.race([Promise.all(before.map(({ exited }) => exited)), delay(LEAVING, undefined, { ref: false })]);
      if (what !== '') this.#options.say(`reloaded in ${Math.round(performance.now() - begun)} ms: ${what}`);
      this.#problem = undefined;
    } catch (error) {
      if (this.#stopped || this.#again) return;
      this.#problem = this.#explained((error as Error).message);
      this.#options.say(`the application does not load:\n${this.#problem}`);
    }
  }

  #kill(which: (worker: WorkerProcess) => boolean): void {
    for (const worker of this.#processes) if (which(worker)) worker.kill('SIGKILL');
  }

  async #load(): Promise<void> {
    if (this.#arbiter !== undefined) return this.#arbiter.reload();
    const arbiter = new Arbiter(this.#arbiterOptions());
    this.#arbiter = arbiter;
    try {
      await arbiter.start();
    } catch (error) {
      this.#arbiter = undefined; // one without a generation that serves cannot reload
      await arbiter.stop(0);
      throw error;
    }
    return undefined;
  }

  #arbiterOptions(): ArbiterOptions {
    const { program, bootTimeout, say } = this.#options;
    const tell = (fields: object, message: string): void => {
      const { err, stack } = fields as { err?: Error; stack?: string };
      say([message, err?.message, stack].filter((part) => part !== undefined).join('\n'));
    };
    return {
      scaling: { kind: 'static', workers: 1 },
      source: () => spawnSource(program, findNative()),
      log: { debug: () => {}, info: () => {}, warn: tell, error: tell },
      bootTimeout,
      workerTimeout: BLOCKED,
      stopTimeout: STOP_TIMEOUT,
      onWorker: (worker) => {
        this.#processes.add(worker);
        void worker.exited.then(() => this.#processes.delete(worker));
        this.#output.add(worker);
      },
      stackOf: ({ pid }) => blockedStack({ pid, stderr: (listener) => this.#output.listen(pid, listener) }),
    };
  }

  /** With its last words where it just ended. */
  #explained(message: string): string {
    return message.includes('\n') ? message : [message, ...this.#output.recent].join('\n');
  }
}
