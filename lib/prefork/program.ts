// WorkerProgram: what a worker runs. prefork/ knows nothing of what it serves.

import type { Logger } from './logger.ts';

export interface WorkerProgram {
  /** Load what all workers have in common: in each spawned worker, or once in the zygote. Its error is the arbiter's to tell. */
  load(settings: unknown): Promise<void>;
  /** What the arbiter is to tell of an error that this process cannot start for. Default: its stack. */
  describe?(error: unknown): string;
  /** Begin to serve on the listening socket. */
  serve(settings: unknown, listener: number, worker: WorkerPlace): Promise<ServingProgram>;
  /** This process's log. Asked for anew in a forked worker. */
  log(settings: unknown): Logger;
}

/** What a program is told of the worker that runs it. */
export interface WorkerPlace {
  /** It is the first worker of its generation. */
  first: boolean;
  /** To be called when a request begins, right before anything is done for it. */
  onRequest: () => void;
}

/** A program that serves. */
export interface ServingProgram {
  load(): { active: number; connections: number; served: number };
  /**
   * Accept nobody any more, from before it returns; serve what runs to its end, at most for so many ms (Infinity: as long as
   * that takes), and stop. `handOver`: takes open connections, see `adopt`. A second call may shorten the time.
   */
  close(options: { timeout: number; handOver?: (descriptor: number) => boolean }): Promise<void>;
  /**
   * An error that nobody has caught, told while Node tells of it: the request that it happened for ends at once. False where none
   * ends by it.
   */
  fail(error: unknown): boolean;
  /** From now on an answer closes its connection, unless that is handed over. */
  closeWithAnswers(): void;
  /** Serve a connection that another worker has handed over. The descriptor is its own to close. */
  adopt(descriptor: number): void;
}

/** What arbiter, zygote and worker agree on. */
export interface WorkerSettings {
  /** It is the first of its generation. Set for each worker by what makes it. */
  first?: boolean;
  /** Shown by ps, with what the process is in front of it. */
  title: string;
  /** Requests after which the worker wants to be replaced; 0: never. */
  maxRequests: number;
  /** Whether it serves none beyond them; else it serves on until there is a successor. */
  maxRequestsStrict: boolean;
  /** At most so many requests more, chosen by each worker, so that they are not all replaced at once. */
  maxRequestsJitter: number;
  /** For what runs to end, in ms, where nobody is there to say another time. */
  stopTimeout: number;
  /** Whether connections can go from worker to worker. */
  handOver: boolean;
  forkGuard: 'warn' | 'refuse' | 'off';
  /** The program's own. */
  program: unknown;
}
