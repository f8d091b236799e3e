// BackgroundWork: what goes on after a response, and what is waited for before request_finished.

export class BackgroundWork {
  #pending: Promise<unknown>[] = [];

  add(work: PromiseLike<unknown>): void {
    const owned = Promise.resolve(work); // once: a query that runs when it is waited for must not run twice
    owned.catch(() => {}); // settled() tells of it; until then it is owned here
    this.#pending.push(owned);
  }

  /** Wait until nothing is left, what was added meanwhile included. Resolves to the errors. */
  async settled(): Promise<unknown[]> {
    const errors: unknown[] = [];
    while (this.#pending.length > 0) {
      const pending = this.#pending;
      this.#pending = [];
      for (const result of await Promise.allSettled(pending)) {
        if (result.status === 'rejected') errors.push(result.reason);
      }
    }
    return errors;
  }
}
