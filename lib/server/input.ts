// Input: a STDIN or DATA stream between the connection that fills it and the handler that reads it.

import type { InputStream } from './exchange.ts';
import { RequestError } from './request-error.ts';
import { Spool } from './spool.ts';

const SMALL = 4096; // pieces below this are put together while nobody reads: a window of one-byte records must stay a window
const BLOCK = 16 * 1024;

/** How an Input tells its connection that there is room again. */
export type OnRoom = () => void;

export class Input implements InputStream {
  /** Announced length in bytes, where one was; what comes beyond it is dropped (specification 6.2). */
  readonly #expected: number | undefined;
  readonly #onRoom: OnRoom;
  #received = 0;
  #queue: Buffer[] = [];
  #queued = 0; // bytes in #queue
  #block: Buffer | undefined; // the block that the queue's last piece is a part of
  #spool: Spool | undefined;
  #spooling = false;
  #unspooled = 0; // bytes on their way into the spool
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
    if (!this.#spooling) return this.#queued >= window;
    return this.#unspooled >= window || (this.#spool?.length ?? 0) >= maxSpool;
  }

  /** Whether everything has come and been read. */
  get done(): boolean {
    return this.#ended && this.#queued === 0 && this.#spool === undefined;
  }

  /** Whether a reader is waiting for the web server. */
  get starving(): boolean {
    return this.#waiting !== undefined;
  }

  /** From now on, what does not fit the window goes to a temporary file. */
  spool(): void {
    this.#spooling = true;
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
    this.#queue = [];
    this.#queued = 0;
    this.#block = undefined;
    this.#spool?.close();
    this.#spool = undefined;
  }

  read(): Promise<Buffer | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    const piece = this.#queue.shift();
    if (piece !== undefined) {
      this.#queued -= piece.length;
      if (this.#queue.length === 0) this.#block = undefined;
      this.#onRoom();
      return Promise.resolve(piece);
    }
    if (this.#spool !== undefined && this.#spool.length > 0) return this.#spool.read();
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
    } else if (this.#spooling) this.#toSpool(part);
    else this.#enqueue(part);
  }

  #enqueue(part: Buffer): void {
    this.#queued += part.length;
    const last = this.#queue.length - 1;
    if (last < 0 || part.length >= SMALL) {
      this.#queue.push(part);
      this.#block = undefined;
      return;
    }
    const used = this.#block === undefined ? BLOCK : (this.#queue[last] as Buffer).length;
    if (this.#block === undefined || used + part.length > BLOCK) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
      this.#queue.push(this.#block.subarray(0, part.copy(this.#block)));
    } else {
      part.copy(this.#block, used);
      this.#queue[last] = this.#block.subarray(0, used + part.length);
    }
  }

  #toSpool(part: Buffer): void {
    this.#spool ??= new Spool();
    this.#unspooled += part.length;
    const settled = (): void => {
      this.#unspooled -= part.length;
      this.#onRoom();
    };
    this.#spool.append(part).then(settled, (error: Error) => {
      settled();
      this.fail(error);
    });
  }
}
