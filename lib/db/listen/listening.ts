// Listening: the notifications of one channel for one that listens, as they come.

import { AsyncResource } from 'node:async_hooks';
import { InterfaceError } from '../errors/index.ts';

export interface Notification {
  channel: string;
  /** '' where none was given. */
  payload: string;
  /** The server's process that has sent it. */
  backendPid: number;
}

export interface ListenOptions {
  /** Notifications that may wait to be taken; with one more the iteration ends by InterfaceError OVERFLOW. Default 1000. */
  maxWaiting?: number;
  /** Ends it. */
  signal?: AbortSignal;
  /** The connection was lost and is there again: what was sent meanwhile has not come. */
  onReconnect?: () => void;
}

interface Taker {
  resolve(result: IteratorResult<Notification, undefined>): void;
  reject(error: Error): void;
}

const MAX_WAITING = 1000;

/** Iterated by one, it gives each notification once. Ending the iteration closes it. */
export class Listening implements AsyncIterableIterator<Notification, undefined> {
  readonly channel: string;
  readonly #options: ListenOptions;
  readonly #onReconnect: (() => void) | undefined;
  readonly #leave: () => Promise<void>;
  readonly #waiting: Notification[] = [];
  readonly #takers: Taker[] = [];
  readonly #onAbort: () => void = () => void this.close();
  #failed: Error | undefined;
  #closing: Promise<void> | undefined;

  /** `leave`: tells the server, where nobody else listens. For the Listener. */
  constructor(channel: string, options: ListenOptions, leave: () => Promise<void>) {
    this.channel = channel;
    this.#options = options;
    // Called for the one that listens, in its scope or in none, not in that of who has had the connection opened.
    this.#onReconnect = options.onReconnect && AsyncResource.bind(options.onReconnect);
    this.#leave = leave;
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Notification, undefined>> {
    const value = this.#waiting.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.#failed !== undefined) {
      const error = this.#failed;
      this.#failed = undefined;
      return Promise.reject(error);
    }
    if (this.#closing !== undefined) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  async return(): Promise<IteratorResult<Notification, undefined>> {
    await this.close();
    return { value: undefined, done: true };
  }

  /** Stop listening. What has come can still be taken. Idempotent; never rejects. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  /** One has come. For the Listener. */
  push(notification: Notification): void {
    if (this.#closing !== undefined) return;
    const taker = this.#takers.shift();
    if (taker !== undefined) {
      taker.resolve({ value: notification, done: false });
      return;
    }
    const { maxWaiting = MAX_WAITING } = this.#options;
    if (this.#waiting.length < maxWaiting) {
      this.#waiting.push(notification);
      return;
    }
    const text = `more than ${maxWaiting} notifications of ${this.channel} wait to be taken (maxWaiting)`;
    this.#failed = new InterfaceError(text, { code: 'OVERFLOW' });
    void this.close();
  }

  /** For the Listener. */
  reconnected(): void {
    this.#onReconnect?.();
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    for (const taker of this.#takers.splice(0)) taker.resolve({ value: undefined, done: true });
    await this.#leave();
  }
}
