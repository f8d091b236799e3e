// Mailbox: what happened, in order, for a spec to wait for without missing anything.

/** Values put in before or after somebody waits for them. */
export class Mailbox<T> {
  readonly #values: T[] = [];
  readonly #waiting: { resolve: (value: T) => void; reject: (error: Error) => void }[] = [];
  #closed: Error | undefined;

  put(value: T): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting.resolve(value);
    else this.#values.push(value);
  }

  /** The next value. Rejects once the mailbox is empty and closed. */
  next(): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift() as T);
    if (this.#closed) return Promise.reject(this.#closed);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Values that nobody has taken. */
  get size(): number {
    return this.#values.length;
  }

  /** Nothing more will come: whoever waits, waits in vain. */
  close(why: string): void {
    this.#closed ??= new Error(why);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#closed);
  }
}
