// The body of a response: what has come and was not read yet, and the ways to read it.

import { Readable } from 'node:stream';

import { ClientError } from './client-error.ts';

/** Who fills the body. */
export interface BodySource {
  /** The reader has taken something: `held` has become less. */
  taken(): void;
  /** The reader wants no more of it, before its end. */
  cancelled(): void;
}

// What a piece is counted for besides its bytes, so that a flood of tiny ones is bounded too.
const PIECE_COST = 128;

const ignore = (): void => {};

/** Keeps pieces until they are read. What came before a failure is still delivered, then the failure. */
export class ResponseBody {
  readonly #source: BodySource;
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #first = 0; // index of the first piece not taken
  #held = 0;
  #complete = false;
  #failure: ClientError | undefined;
  #wanted = false; // the stream has asked for a piece that had not come
  #stream: Readable | undefined;
  #collected: Promise<Buffer> | undefined;

  /** `maxBytes`: what `bytes` collects at most. */
  constructor(source: BodySource, maxBytes: number) {
    this.#source = source;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that came and were not taken, with what each piece costs. */
  get held(): number {
    return this.#held;
  }

  push(piece: Buffer): void {
    if (this.#wanted) {
      this.#wanted = false;
      this.#stream?.push(piece);
    } else {
      this.#pieces.push(piece);
      this.#held += piece.length + PIECE_COST;
    }
  }

  /** Nothing more will come. */
  end(failure?: ClientError): void {
    if (this.#complete || this.#failure) return;
    if (failure) this.#failure = failure;
    else this.#complete = true;
    if (this.#wanted) this.#next();
  }

  /** The body as a stream of Buffers. It reads ahead nothing by itself: what is not read, waits here. */
  get stream(): Readable {
    this.#stream ??= new Readable({
      highWaterMark: 0,
      read: () => this.#next(),
      destroy: (error, callback) => {
        this.#drop();
        if (!this.#complete && !this.#failure) this.#source.cancelled();
        callback(error);
      },
    }).on('error', ignore); // a failure is for who reads; nobody reading must not end the process
    return this.#stream;
  }

  /** All of it. Rejects with what the stream would fail with, `TOO_LARGE`, or TypeError where the stream was read. */
  bytes(): Promise<Buffer> {
    return (this.#collected ??= this.#collect());
  }

  async #collect(): Promise<Buffer> {
    if (this.#stream?.readableDidRead) throw new TypeError('the body has been read as a stream already');
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of this.stream as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > this.#maxBytes) {
        throw new ClientError('TOO_LARGE', `the body is over ${this.#maxBytes} bytes: read it as a stream`);
      }
      pieces.push(piece);
    }
    return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, length);
  }

  #next(): void {
    const piece = this.#pieces[this.#first];
    if (piece !== undefined) {
      this.#first += 1;
      if (this.#first === this.#pieces.length) this.#drop();
      else this.#held -= piece.length + PIECE_COST;
      this.#stream?.push(piece);
      this.#source.taken();
    } else if (this.#failure) this.#stream?.destroy(this.#failure);
    else if (this.#complete) this.#stream?.push(null);
    else this.#wanted = true;
  }

  #drop(): void {
    this.#pieces = [];
    this.#first = 0;
    this.#held = 0;
  }
}
