// Replies: what goes out that is no request's output, such as answers to management records.

import type { Channel } from './channel.ts';

/**
 * Who asks for more without taking what there is is not read from until it is taken. Only those who ask: a web server may well
 * send all of a body before it reads.
 */
export class Replies {
  readonly #channel: Channel;
  readonly #limit: number;
  readonly #onHeld: () => void;
  #held = false;
  #bytes = 0; // since nothing was waiting to be sent

  /** `limit`: bytes that may wait. `onHeld` is called when reading should stop. */
  constructor(channel: Channel, limit: number, onHeld: () => void) {
    this.#channel = channel;
    this.#limit = limit;
    this.#onHeld = onHeld;
  }

  /** Whether reading should have stopped. */
  get held(): boolean {
    return this.#held;
  }

  send(record: Buffer): void {
    if (this.#channel.queued === 0) this.#bytes = 0;
    this.#bytes += record.length;
    this.#channel.gather();
    this.#channel.write(record);
    if (this.#bytes >= this.#limit) this.#holdBeyond(this.#limit);
  }

  /** Another request begins beside `others`, each of which may have as much waiting. */
  requestBegins(others: number): void {
    this.#holdBeyond(this.#limit * (others + 2));
  }

  /** Everything has been taken. */
  drained(): void {
    this.#held = false;
  }

  #holdBeyond(bytes: number): void {
    if (this.#held || this.#channel.queued < bytes) return;
    this.#held = true;
    this.#onHeld();
  }
}
