// Workers by fork: starts the zygote when the first one is wanted, and another one should it die.

import { spawn } from 'node:child_process';
import type { Native } from './native.ts';
import { started } from './spawn-source.ts';
import type { Exit, Program, WorkerProcess, WorkerSource } from './worker-source.ts';
import { ZygoteProcess, type ZygoteProcessEvents } from './zygote-process.ts';

// V8 without threads of its own: a forked process would miss them (docs/workers.md).
const ZYGOTE_FLAGS = ['--v8-pool-size=0', '--single-threaded'];

export interface ZygoteEvents extends ZygoteProcessEvents {
  /** It ended without being asked to. Its workers live on. */
  onLost(pid: number, exit: Exit): void;
}

export class ZygoteSource implements WorkerSource {
  readonly #program: Program;
  readonly #native: Native;
  readonly #bootTimeout: number;
  readonly #events: ZygoteEvents;
  #zygote: Promise<ZygoteProcess> | undefined;
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
    const zygote = await this.#zygote?.catch(() => undefined); // one that never came up has ended by itself
    await zygote?.close();
  }

  async #start(): Promise<ZygoteProcess> {
    const { execArgv, file, listener, settings } = this.#program;
    const child = spawn(process.execPath, [...execArgv, ...ZYGOTE_FLAGS, file, 'zygote'], {
      stdio: ['ignore', 'pipe', 'pipe', listener, 'pipe', 'pipe'],
    });
    try {
      const pipes = await started(child);
      void pipes.exited.then((exit) => {
        this.#zygote = undefined;
        if (!this.#closed) this.#events.onLost(pipes.pid, exit);
      });
      const zygote = new ZygoteProcess(child, pipes, this.#native, this.#bootTimeout, this.#events);
      await zygote.load(settings);
      if (this.#closed) await zygote.close();
      return zygote;
    } catch (error) {
      this.#zygote = undefined;
      throw error;
    }
  }
}
