// HashQueue: how many password hashes run and wait at once.

import { HttpError } from '../app/index.ts';

/**
 * Each hash takes 16 MiB and a thread of libuv's pool (4 by default), which files and names of hosts need too. Over the
 * bounds of both, more work is refused with HttpError 503.
 */
export class HashQueue {
  readonly #atOnce: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #inside = 0;

  constructor(atOnce: number, maxWaiting: number) {
    this.#atOnce = atOnce;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Do what comes to a `run` in the end, now. Rejects as `work` does, or with HttpError 503 where so many are at it that it would
   * be refused there: by then it would have waited for a database connection.
   */
  async admit<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#atOnce + this.#maxWaiting) throw tooMany();
    this.#inside++;
    try {
      return await work();
    } finally {
      this.#inside--;
    }
  }

  /** Run `work` when there is room. Rejects as it does, or with HttpError 503 where too many are waiting. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#maxWaiting) throw tooMany();
      await new Promise<void>((resolve) => this.#waiting.push(resolve)); // comes with the room of the one before
    } else this.#running++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

function tooMany(): HttpError {
  return new HttpError(503, 'too many passwords to check, try again', { headers: { 'Retry-After': '5' } });
}
