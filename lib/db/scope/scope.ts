// Scope: how long database connections live that are opened in it: a request's length, or that of a call of connections.scope().

import { Checkout, type CheckoutScope } from './checkout.ts';
import type { DatabaseParts } from './database-parts.ts';

/** What a scope is for: a request, or whoever can give up. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** Whose scope it is: a request, or a call of connections.scope(). */
export interface ScopeOwner extends Abortable {
  /** It does not end before this is done, which never rejects. */
  waitUntil?(work: Promise<void>): void;
}

export class Scope implements CheckoutScope {
  /** The process that it runs in. */
  readonly ownerPid: number = process.pid;
  /** The request, where it is a request's. */
  readonly request: object | undefined;
  readonly #owner: ScopeOwner;
  readonly #checkouts: Map<string, Checkout> = new Map();
  #end: Promise<void> | undefined;

  constructor(owner: ScopeOwner, request?: object) {
    this.#owner = owner;
    this.request = request;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Asked for where it is needed only: a request makes its signal then. */
  get signal(): AbortSignal | undefined {
    return this.#owner.signal;
  }

  waitUntil(work: Promise<void>): void {
    this.#owner.waitUntil?.(work);
  }

  /** Its use of one database. */
  checkout(alias: string, parts: () => DatabaseParts): Checkout {
    let checkout = this.#checkouts.get(alias);
    if (checkout === undefined) {
      checkout = new Checkout(this, parts());
      this.#checkouts.set(alias, checkout);
    }
    return checkout;
  }

  /** Roll back what is open outside of db.transaction(). */
  async rollBack(): Promise<void> {
    await Promise.all([...this.#checkouts.values()].map((checkout) => checkout.rollBack()));
  }

  /** Stop what runs, roll back what is open, give the connections back. Idempotent; never rejects. */
  end(): Promise<void> {
    return (this.#end ??= this.#endAll());
  }

  async #endAll(): Promise<void> {
    await Promise.all([...this.#checkouts.values()].map((checkout) => checkout.end()));
  }
}
