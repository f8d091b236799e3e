// The pool: a bounded number of connections, and a bounded queue of those who wait for a slot on one.

import { ClientError } from './client-error.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { Settings } from './options.ts';

/** What waits for a slot. */
export interface Job {
  /** Whether it must go out on a connection that was never used, because a used one has just failed it. */
  readonly fresh: boolean;
  /** A slot is free on `connection`: take it, now. */
  start(connection: Connection): void;
  /** There will be no slot. */
  fail(error: ClientError): void;
}

/**
 * An idle connection is taken first; then a new one is made; only when there are `maxConnections` do requests share one,
 * the least loaded.
 */
export class Pool implements ConnectionOwner {
  readonly #settings: Settings;
  readonly #connections: Set<Connection> = new Set();
  readonly #connecting: Set<Connection> = new Set();
  readonly #queue: Job[] = [];
  #closing = false;
  #onEmpty: (() => void) | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Connections, those being made included. */
  get size(): number {
    return this.#connections.size;
  }

  /** Jobs without a slot. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Give the job a slot, now or later. It fails with `QUEUE_FULL` or, once the pool is closing, with `CLOSED`. */
  submit(job: Job): void {
    if (this.#closing) return job.fail(new ClientError('CLOSED', 'this client was closed'));
    if (job.fresh) {
      this.#queue.unshift(job); // it has waited before; the connection that failed it has left room for a new one
      return this.#serve();
    }
    this.#queue.push(job);
    this.#serve();
    // Those that a connection being made will serve do not wait for anybody else.
    const waiting = this.#queue.length - this.#connecting.size * this.#settings.maxRequestsPerConnection;
    if (waiting > this.#settings.maxQueue && this.cancel(job)) {
      job.fail(new ClientError('QUEUE_FULL', `${this.#settings.maxQueue} requests wait for a connection already`));
    }
  }

  /** Take the job out of the queue. False: it was not in it. */
  cancel(job: Job): boolean {
    const at = this.#queue.lastIndexOf(job);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    return true;
  }

  /** Refuse what waits and what comes, and close connections as they become idle. Resolves when none is left. */
  close(): Promise<void> {
    this.#closing = true;
    for (const job of this.#queue.splice(0)) job.fail(new ClientError('CLOSED', 'this client was closed'));
    for (const connection of this.#connections) connection.retire();
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#onEmpty = resolve));
  }

  /** Close all connections now. */
  destroy(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  opened(connection: Connection): void {
    this.#connecting.delete(connection);
    this.#serve();
  }

  freed(): void {
    this.#serve();
  }

  closed(connection: Connection, error: ClientError): void {
    this.#connections.delete(connection);
    this.#connecting.delete(connection);
    if (error.code === 'CONNECT_FAILED' || error.code === 'CONNECT_TIMEOUT') {
      this.#queue.shift()?.fail(error); // whom it was made for, or who has waited longest
    }
    if (this.#connections.size === 0) this.#onEmpty?.();
    this.#serve();
  }

  #serve(): void {
    for (let job = this.#queue[0]; job !== undefined; job = this.#queue[0]) {
      const connection = this.#pick(job);
      if (connection === undefined) break;
      this.#queue.shift();
      job.start(connection);
    }
    const { maxConnections, maxRequestsPerConnection } = this.#settings;
    while (
      this.#queue.length > this.#connecting.size * maxRequestsPerConnection &&
      this.#connections.size < maxConnections
    ) {
      const connection = new Connection(this.#settings, this);
      this.#connections.add(connection);
      this.#connecting.add(connection);
    }
  }

  #pick(job: Job): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of this.#connections) {
      if (!connection.available || (job.fresh && connection.served > 0)) continue;
      if (best === undefined || connection.load < best.load) best = connection;
    }
    const canGrow = this.#connections.size < this.#settings.maxConnections;
    return best !== undefined && best.load > 0 && canGrow ? undefined : best;
  }
}
