// Stopping: how a statement that runs is stopped.

import type { PostgresError } from '../errors/index.ts';

/** ms that the server has to take a cancel request, and to stop what runs. */
export const STOPS_WITHIN = 2000;

/** The error of a statement that was stopped, made of what has become of it. */
export type StopReason = (cause: PostgresError, queryName: string | undefined) => PostgresError;

export class Stopping {
  readonly #cancel: () => Promise<void>;
  readonly #cut: () => void;
  #stopped: Promise<void> | undefined;
  #onOver: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #cancelling: Promise<void> | undefined;
  #why: StopReason | undefined;

  /** `cancel`: resolves when the server has heard of it, or cannot. `cut`: for what does not stop. */
  constructor(cancel: () => Promise<void>, cut: () => void) {
    this.#cancel = cancel;
    this.#cut = cut;
  }

  /** Until the server has heard of it; what is sent before might be hit in place of what ran. */
  get cancelling(): Promise<void> | undefined {
    return this.#cancelling;
  }

  /** Who stopped it first, if that one has said why. */
  get why(): StopReason | undefined {
    return this.#why;
  }

  /** Stop what runs. Resolves when it is over. */
  begin(why: StopReason | undefined): Promise<void> {
    this.#why ??= why;
    this.#stopped ??= new Promise((resolve) => {
      this.#onOver = resolve;
      this.#timer = setTimeout(this.#cut, STOPS_WITHIN);
      this.#cancelling = this.#cancel().then(() => (this.#cancelling = undefined));
    });
    return this.#stopped;
  }

  /** What ran is over, however it ended. */
  over(): void {
    clearTimeout(this.#timer);
    this.#onOver?.();
    this.#stopped = this.#onOver = this.#why = undefined;
  }
}
