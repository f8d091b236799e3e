// Watchdog: ends the workers that do not come up, do not leave, or whose event loop does not turn.

import type { Logger } from '../logger.ts';
import type { Worker, WorkerDeadlines } from './worker.ts';
import type { WorkerProcess } from './worker-source.ts';

export interface WatchdogOptions extends WorkerDeadlines {
  log: Logger;
  /** The JavaScript stack of a worker whose event loop does not turn, where it can be had. */
  stackOf?: (process: WorkerProcess) => Promise<string | undefined>;
}

const NAP = 1250; // ms between two checks; more is a process that was stopped, and its workers with it

export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #onCondemned: () => void;
  #checkedAt: number = performance.now();

  /** `onCondemned`: a worker does not count any more, though it still runs. */
  constructor(options: WatchdogOptions, onCondemned: () => void) {
    this.#options = options;
    this.#onCondemned = onCondemned;
  }

  /** Call it several times a second. `now`: of performance.now(). */
  check(workers: readonly Worker[], now: number): void {
    const since = now - this.#checkedAt;
    this.#checkedAt = now;
    for (const worker of workers) {
      if (since > NAP) worker.forgive(since);
      else if (worker.late(now)) this.#killLate(worker);
      else if (worker.silent(now)) void this.#killBlocked(worker);
    }
  }

  #killLate(worker: Worker): void {
    if (worker.state === 'booting') {
      worker.failure ??= `it did not start within ${this.#options.bootTimeout} ms`;
      worker.process.kill('SIGKILL');
      return;
    }
    this.#options.log.error({ worker: worker.pid }, 'a worker that should leave does not: killed');
    worker.kill();
  }

  async #killBlocked(worker: Worker): Promise<void> {
    worker.condemn();
    this.#onCondemned();
    const stack = await this.#options.stackOf?.(worker.process).catch(() => undefined);
    const seconds = this.#options.workerTimeout / 1000;
    const { active } = worker.load;
    this.#options.log.error(
      { worker: worker.pid, active, ...(stack !== undefined && { stack }) },
      `a worker's event loop has not turned for ${seconds} s: killed`,
    );
    worker.kill();
  }
}
