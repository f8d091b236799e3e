// WorkerSource: where workers come from. Spawned or forked, a worker looks the same to the arbiter.

import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { DescriptorPipe } from '../descriptor-pipe.ts';

/** How a process ended. Both null where nobody can tell any more. */
export interface Exit {
  code: number | null;
  signal: string | null;
}

/** A worker's process, as its arbiter has it. */
export interface WorkerProcess {
  readonly pid: number;
  /** Messages, see messages.ts. Its end is the process's end. */
  readonly channel: Socket;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /**
   * On which open connections come from it and go to it; undefined where the addon is not built. Whoever has the process takes
   * what is left there at its end, and closes it.
   */
  readonly descriptors: DescriptorPipe | undefined;
  readonly exited: Promise<Exit>;
  /** Whether Node's inspector can be had by SIGUSR1, for the stack of a blocked event loop. */
  readonly inspectable: boolean;
  kill(signal: NodeJS.Signals): void;
}

/** One generation's workers come from one source. */
export interface WorkerSource {
  /** Make a worker. Rejects with an error that says why it cannot be made. */
  make(): Promise<WorkerProcess>;
  /**
   * No more workers are wanted, and those that were made are gone. Workers that are being made need not come any more: `make`
   * rejects where it would wait for long. Resolves when nothing of it is left.
   */
  close(): Promise<void>;
}

/** What a worker's program is started with, by either method. */
export interface Program {
  /** Module that calls `runWorker` or `runZygote` (see worker.ts, zygote.ts), told which by its first argument. */
  file: string;
  /** Node's own arguments. */
  execArgv: readonly string[];
  /** What the program gets as its settings; it must go through JSON. */
  settings: unknown;
  /** The listening socket's descriptor in this process. */
  listener: number;
}
