// Respawn: when a worker that died may be replaced. Pure.

const FREE = 5; // deaths that are not waited for
const FORGOTTEN_AFTER = 5000; // ms in which one death is forgotten
const LONGEST = 30_000; // ms

/**
 * Replaces at once as long as deaths are rare, and after 1, 2, 4 ... 30 seconds where one follows the other, so that an
 * application that does not start or dies of every request fills neither the processor nor the log. A worker that was
 * killed (SIGKILL) is not its application's fault and is not counted.
 */
export class Respawn {
  #deaths = 0;
  #since = 0;
  #from = 0;

  /** When the next worker may be started; compare with the time that `died` is given. */
  get from(): number {
    return this.#from;
  }

  /** A worker ended that should not have: before it served (`boot`), or later (`crash`). `now` in milliseconds. */
  died(kind: 'boot' | 'crash', now: number): void {
    const forgotten = Math.floor((now - Math.max(this.#since, this.#from)) / FORGOTTEN_AFTER);
    this.#deaths = Math.max(0, this.#deaths - Math.max(0, forgotten));
    this.#since = now;
    this.#deaths = Math.min(kind === 'boot' ? Math.max(this.#deaths, FREE) + 1 : this.#deaths + 1, FREE + 16);
    const over = this.#deaths - FREE;
    this.#from = over <= 0 ? now : now + Math.min(LONGEST, 1000 * 2 ** (over - 1));
  }

  /** Wait no longer: a person asked. */
  forgive(): void {
    this.#deaths = 0;
    this.#from = 0;
  }
}
