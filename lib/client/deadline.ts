// Deadline: one timer that is set anew for each thing waited for.

const LONGEST = 0x7fffffff; // setTimeout takes 31 bits; longer ones fire at once

/** At most one wait at a time. `Infinity` waits for ever. */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  /** Call `onPassed` in `milliseconds`, instead of what was set before. `unref`: do not keep the process for it. */
  set(milliseconds: number, onPassed: () => void, unref = false): void {
    this.clear();
    if (milliseconds === Infinity) return;
    this.#timer = setTimeout(onPassed, Math.min(milliseconds, LONGEST));
    if (unref) this.#timer.unref();
  }

  /** Begin the same wait again. */
  refresh(): void {
    this.#timer?.refresh();
  }

  clear(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
