// A set that can be listed and keeps nothing alive.

export class WeakList<T extends WeakKey> implements Iterable<T> {
  readonly #references: Set<WeakRef<T>> = new Set();
  readonly #known: WeakSet<T> = new WeakSet();
  readonly #gone: FinalizationRegistry<WeakRef<T>> = new FinalizationRegistry((reference) => {
    this.#references.delete(reference);
  });

  add(item: T): void {
    if (this.#known.has(item)) return;
    const reference = new WeakRef(item);
    this.#known.add(item);
    this.#references.add(reference);
    this.#gone.register(item, reference);
  }

  /** Those that are still there, in the order of their first add. */
  *[Symbol.iterator](): Generator<T, void> {
    for (const reference of this.#references) {
      const item = reference.deref();
      if (item !== undefined) yield item;
    }
  }
}
