// BackgroundWork: what goes on after a response, and what is waited for before request_finished.

export class BackgroundWork {
  #pending: Promise<unknown>[] = [];

  add(work: Promise<unknown>): void {
    this.#pending.push(work);
    work.then(undefined, () => {}); // settled() tells of it; until then it is owned here
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
