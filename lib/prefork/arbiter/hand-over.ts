// HandOver: connections on their way from a draining worker to one that serves, in the arbiter's hands.

import { closeSync } from 'node:fs';
import type { Worker } from './worker.ts';

const RETRY = 5; // ms until somebody may have room again
const MAX_WAITING = 4096; // descriptors
const PATIENCE = 5000; // ms that one waits

export class HandOver {
  readonly #takers: () => readonly Worker[];
  readonly #expected: () => boolean;
  #waiting: { descriptor: number; until: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** `takers`: the workers that may have connections, the best one first. `expected`: whether there will be some. */
  constructor(takers: () => readonly Worker[], expected: () => boolean) {
    this.#takers = takers;
    this.#expected = expected;
  }

  /** Have somebody serve it. It waits for one that comes, or has room again, and is closed where nobody will be there. */
  pass(descriptor: number): void {
    if (this.#waiting.length === 0 && this.#give(descriptor)) return;
    if (this.#waiting.length >= MAX_WAITING) return closeSync(descriptor);
    this.#waiting.push({ descriptor, until: performance.now() + PATIENCE });
    this.#timer ??= setTimeout(() => this.retry(), RETRY);
  }

  /** See whether somebody takes those that wait. */
  retry(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const now = performance.now();
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      if (!this.#give(first.descriptor)) {
        if (now < first.until) break;
        closeSync(first.descriptor);
      }
      this.#waiting.shift();
    }
    this.#timer = setTimeout(() => this.retry(), RETRY);
  }

  /** Close what waits. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { descriptor } of this.#waiting.splice(0)) closeSync(descriptor);
  }

  #give(descriptor: number): boolean {
    const takers = this.#takers();
    const done = takers.length === 0 ? !this.#expected() : takers.some((worker) => worker.adopt(descriptor));
    if (done) closeSync(descriptor);
    return done;
  }
}
