// Input: a STDIN or DATA stream between the connection that fills it and the handler that reads it.

import type { InputStream } from './exchange.ts';
import { PieceQueue } from './piece-queue.ts';
import { RequestError } from './request-error.ts';
import { Spool } from './spool.ts';

/** How an Input tells its connection that there is room again. */
export type OnRoom = () => void;

export class Input implements InputStream {
  /** Announced length in bytes, where one was; what comes beyond it is dropped (specification 6.2). */
  readonly #expected: number | undefined;
  readonly #onRoom: OnRoom;
  #received = 0;
  readonly #queue: PieceQueue = new PieceQueue();
  #window: number | undefined; // bytes in #queue beyond which input goes to #spool
  #spool: Spool | undefined; // what comes behind #queue
  #ended = false;
  #error: Error | undefined;
  #waiting: { resolve: (piece: Buffer | undefined) => void; reject: (error: Error) => void } | undefined;

  constructor(expected: number | undefined, onRoom: OnRoom) {
    this.#expected = expected;
    this.#onRoom = onRoom;
    if (expected === 0) this.#ended = true;
  }

  /** Whether it holds as much as it may: in memory `window` bytes, in the temporary file `maxSpool`. */
  isFull(window: number, maxSpool: number): boolean {
    if (this.#window === undefined) return this.#queue.length >= window;
    return this.#spool !== undefined && (this.#spool.unwritten >= window || this.#spool.size >= maxSpool);
  }

  /** Whether everything has come and been read. */
  get done(): boolean {
    return this.#ended && this.#queue.length === 0 && this.#spool === undefined;
  }

  /** Whether a reader is waiting for the web server. */
  get starving(): boolean {
    return this.#waiting !== undefined;
  }

  /** From now on, what does not fit a window of so many bytes goes to a temporary file. */
  spoolBeyond(window: number): void {
    this.#window = window;
  }

  /** The connection's side: the next piece has come. The piece is kept, not copied, unless it is small. */
  push(piece: Buffer): void {
    if (this.#ended || this.#error !== undefined) return;
    let part = piece;
    if (this.#expected !== undefined && this.#received + piece.length > this.#expected) {
      part = piece.subarray(0, this.#expected - this.#received);
    }
    this.#received += part.length;
    if (part.length > 0) this.#take(part);
    if (this.#received === this.#expected) this.end();
  }

  /** The connection's side: the stream has ended; short of its length, that is an error for the reader (6.2). */
  end(): void {
    if (this.#ended || this.#error !== undefined) return;
    if (this.#expected !== undefined && this.#received < this.#expected) {
      this.fail(
        new RequestError('BODY_TRUNCATED', `the body ended after ${this.#received} of ${this.#expected} bytes`),
      );
      return;
    }
    this.#ended = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(undefined);
  }

  /** The connection's side: nothing more will come. What is held is dropped: part of a body is no body. */
  fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.discard();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }

  /** Nobody will read any more. */
  discard(): void {
    this.#queue.takeAll();
    this.#spool?.close();
    this.#spool = undefined;
  }

  read(): Promise<Buffer | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.#onRoom();
      return Promise.resolve(piece);
    }
    if (this.#spool !== undefined && this.#spool.length > 0) return this.#readSpool(this.#spool);
    if (this.#ended) return Promise.resolve(undefined);
    if (this.#waiting !== undefined) return Promise.reject(new TypeError('a read of this body is under way already'));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#onRoom();
    });
  }

  async bytes(maxBytes: number): Promise<Buffer> {
    const tooLarge = (): RequestError => new RequestError('BODY_TOO_LARGE', `the body has more than ${maxBytes} bytes`);
    if (this.#expected !== undefined && this.#expected > maxBytes) throw tooLarge();
    const first = await this.read();
    if (first === undefined) return Buffer.alloc(0);
    const pieces: Buffer[] = [];
    let length = 0;
    for (let piece: Buffer | undefined = first; piece !== undefined; piece = await this.read()) {
      length += piece.length;
      if (length > maxBytes) throw tooLarge();
      pieces.push(piece);
    }
    return pieces.length === 1 ? first : Buffer.concat(pieces, length);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    for (let piece = await this.read(); piece !== undefined; piece = await this.read()) yield piece;
  }

  #take(part: Buffer): void {
    const waiting = this.#waiting;
    if (waiting !== undefined) {
      this.#waiting = undefined;
      waiting.resolve(part);
    } else if (this.#fitsQueue()) this.#queue.push(part);
    else {
      this.#spool ??= new Spool(this.#onRoom, (error) => this.fail(error));
      this.#spool.push(part);
    }
  }

  #fitsQueue(): boolean {
    if (this.#window === undefined) return true;
    return this.#queue.length < this.#window && (this.#spool === undefined || this.#spool.length === 0);
  }

  async #readSpool(spool: Spool): Promise<Buffer> {
    const reading = spool.read();
    this.#onRoom();
    try {
      return await reading;
    } catch (error) {
      this.fail(error as Error); // what follows would not be what was sent
      throw error;
    }
  }
}
