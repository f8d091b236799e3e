// Writes: what is written to a socket, in its order: held back while it is corked or nobody takes it.

import { writeAfterDestroy } from './node-errors.ts';

export type Done = (error?: Error | null) => void;

/** Takes the next bytes. False: no more of them until `room` is called. */
export interface Taker {
  take(chunk: string | Uint8Array, encoding: BufferEncoding): boolean;
}

/** When callbacks are called, and 'drain' is told, is as of a stream.Writable whose writes are done at once. */
export class Writes {
  /** How often it has been corked and not uncorked. */
  corked = 0;
  /** Of all that has not been taken: characters of text, bytes of the rest. */
  length = 0;
  /** Whether somebody has been told to wait. */
  needDrain = false;
  readonly #taker: Taker;
  readonly #onDrained: () => void;
  #held: { chunk: string | Uint8Array; encoding: BufferEncoding; done: Done | undefined }[] = [];
  #blocked: { length: number; done: Done | undefined } | undefined; // taken, but not sent yet
  #done: (Done | undefined)[] = []; // of what was taken in this turn

  constructor(taker: Taker, onDrained: () => void) {
    this.#taker = taker;
    this.#onDrained = onDrained;
  }

  /** Whether there is room for more below `bound`. */
  write(chunk: string | Uint8Array, encoding: BufferEncoding, done: Done | undefined, bound: number): boolean {
    this.length += chunk.length;
    if (this.corked > 0 || this.#blocked !== undefined) this.#held.push({ chunk, encoding, done });
    else this.#pass(chunk, encoding, done);
    const hasRoom = this.length < bound;
    if (!hasRoom) this.needDrain = true;
    return hasRoom;
  }

  uncork(): void {
    if (this.corked === 0) return;
    this.corked -= 1;
    this.#passHeld();
  }

  /** What was taken last has been sent. */
  room(): void {
    const blocked = this.#blocked;
    if (blocked === undefined) return;
    this.#blocked = undefined;
    this.length -= blocked.length;
    this.#passHeld();
    this.#checkDrained();
    blocked.done?.(null);
  }

  /** Nothing is taken any more: callbacks of what is held back are told so. */
  giveUp(): void {
    const held = this.#held;
    this.#held = [];
    for (const { done } of held) if (done !== undefined) process.nextTick(done, writeAfterDestroy());
  }

  #passHeld(): void {
    const held = this.#held;
    let passed = 0;
    while (passed < held.length && this.corked === 0 && this.#blocked === undefined) {
      const { chunk, encoding, done } = held[passed++] as (typeof held)[number];
      this.#pass(chunk, encoding, done);
    }
    held.splice(0, passed);
  }

  #pass(chunk: string | Uint8Array, encoding: BufferEncoding, done: Done | undefined): void {
    if (!this.#taker.take(chunk, encoding)) {
      this.#blocked = { length: chunk.length, done };
      return;
    }
    this.length -= chunk.length;
    if (this.#done.push(done) === 1) process.nextTick(tell, this);
  }

  /** For `tell`. */
  tellDone(): void {
    const done = this.#done;
    this.#done = [];
    this.#checkDrained();
    for (const one of done) one?.(null);
  }

  #checkDrained(): void {
    if (!this.needDrain || this.length > 0) return;
    this.needDrain = false;
    this.#onDrained();
  }
}

function tell(writes: Writes): void {
  writes.tellDone();
}
