// Workers by fork: starts the zygote when the first one is wanted, and another one should it die.

import { spawn } from 'node:child_process';
import type { Native } from '../native.ts';
import { started } from './spawn-source.ts';
import type { Exit, Program, WorkerProcess, WorkerSource } from './worker-source.ts';
import { ZygoteProcess, type ZygoteProcessEvents } from './zygote-process.ts';

// V8 without threads of its own: a forked process would miss them (docs/workers.md).
const ZYGOTE_FLAGS = ['--v8-pool-size=0', '--single-threaded'];

export interface ZygoteEvents extends ZygoteProcessEvents {
  /** One that had loaded the application ended without being asked to. Its workers live on. */
  onLost(pid: number, exit: Exit): void;
}

export class ZygoteSource implements WorkerSource {
  readonly #program: Program;
  readonly #native: Native;
  readonly #bootTimeout: number;
  readonly #events: ZygoteEvents;
  #zygote: Promise<ZygoteProcess> | undefined;
  #running: ZygoteProcess | undefined; // the last one that was started, whether it has loaded or not
  #closed = false;

  /** `bootTimeout`: milliseconds for the application to load, and for each fork. */
  constructor(program: Program, native: Native, bootTimeout: number, events: ZygoteEvents) {
    this.#program = program;
    this.#native = native;
    this.#bootTimeout = bootTimeout;
    this.#events = events;
  }

  async make(): Promise<WorkerProcess> {
    this.#zygote ??= this.#start();
    return (await this.#zygote).fork();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running?.close();
    await this.#zygote?.catch(() => undefined); // the process of one that was just being started
  }

  /** The next one is started where this one does not load, or has died. */
  #start(): Promise<ZygoteProcess> {
    const zygote = this.#load();
    const forget = (): void => {
      if (this.#zygote === zygote) this.#zygote = undefined;
    };
    void zygote.then(async ({ pid, exited }) => {
      const exit = await exited;
      forget();
      if (!this.#closed) this.#events.onLost(pid, exit);
    }, forget);
    return zygote;
  }

  async #load(): Promise<ZygoteProcess> {
    const { execArgv, file, listener, settings } = this.#program;
    const child = spawn(process.execPath, [...execArgv, ...ZYGOTE_FLAGS, file, 'zygote'], {
      stdio: ['ignore', 'pipe', 'pipe', listener, 'pipe', 'pipe'],
    });
    const zygote = new ZygoteProcess(child, await started(child), this.#native, this.#bootTimeout, this.#events);
    this.#running = zygote;
    try {
      if (this.#closed) throw new Error('stopped before the application was loaded');
      await zygote.load(settings);
      return zygote;
    } catch (error) {
      await zygote.close(); // it may hang
      throw error;
    }
  }
}
