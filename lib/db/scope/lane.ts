// Lane: one thing at a time, in the order of asking. A connection answers one statement after the other.

/** Where those who wait give up. */
export interface Patience {
  /** ms. */
  timeout: number;
  /** The error they get. */
  error: () => Error;
}

export class Lane {
  #last: Promise<unknown> | undefined; // never rejects

  /** Whether something runs or waits. */
  get busy(): boolean {
    return this.#last !== undefined;
  }

  /** Run `work` when all before it is done. Rejects with its error, or with that of `patience` where its turn does not come. */
  run<T>(work: () => Promise<T>, patience: Patience): Promise<T> {
    const before = this.#last;
    const running = before === undefined ? work() : this.#queue(before, work, patience);
    const clear = (): void => {
      if (this.#last === last) this.#last = undefined;
    };
    // Who has given up waiting is done before those in front of it are.
    const last: Promise<void> = (before === undefined ? running : before.then(() => running)).then(clear, clear);
    this.#last = last;
    return running;
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#last !== undefined) await this.#last;
  }

  #queue<T>(before: Promise<unknown>, work: () => Promise<T>, { timeout, error }: Patience): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let expired = false;
      const timer = setTimeout(() => {
        expired = true;
        reject(error());
      }, timeout);
      void before.then(() => {
        clearTimeout(timer);
        if (!expired) work().then(resolve, reject);
      });
    });
  }
}
