// Generation: the workers that were made of the same code, and the source they come from.

import type { Worker } from './worker.ts';
import type { WorkerSource } from './worker-source.ts';

/** A generation that is not serving yet: all its first workers must be ready first. */
export interface Boot {
  wanted: number;
  resolve(): void;
  reject(error: Error): void;
}

export class Generation {
  readonly number: number;
  readonly source: WorkerSource;
  readonly workers: Set<Worker> = new Set();
  /** Workers that have become ready so far; some may have left since. */
  started = 0;
  /** Workers that were ordered from the source and have not come yet. */
  ordered = 0;
  boot: Boot | undefined;
  #retired = false;
  #closing: Promise<void> | undefined;

  constructor(number: number, source: WorkerSource) {
    this.number = number;
    this.source = source;
  }

  /** Those that take requests. */
  get ready(): Worker[] {
    return [...this.workers].filter(({ state }) => state === 'ready');
  }

  /** Those that will. */
  get coming(): number {
    return this.ordered + [...this.workers].filter(({ state }) => state === 'booting').length;
  }

  /** Those that leave by themselves because they are worn. */
  get leaving(): number {
    return [...this.workers].filter(({ leaves }) => leaves).length;
  }

  get retired(): boolean {
    return this.#retired;
  }

  /** No more workers are made; those there drain for `timeout` ms. Again with a shorter time. */
  retire(timeout: number, handOver = false): void {
    this.#retired = true;
    for (const worker of this.workers) worker.drain(timeout, handOver);
  }

  /** Close its source. Idempotent. */
  close(): Promise<void> {
    return (this.#closing ??= this.source.close());
  }
}
