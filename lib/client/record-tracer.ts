// Tells an observer of the records in a byte stream, by their headers alone.

import { HEADER_LENGTH } from '../protocol/index.ts';

/** The parser hands streams on in pieces; this sees each record once, with the length in its header. */
export class RecordTracer {
  readonly #onRecord: (type: number, id: number, contentLength: number) => void;
  readonly #header: Buffer = Buffer.alloc(HEADER_LENGTH);
  #headerLength = 0;
  #skip = 0;

  constructor(onRecord: (type: number, id: number, contentLength: number) => void) {
    this.#onRecord = onRecord;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const taken = chunk.copy(this.#header, this.#headerLength, at, at + HEADER_LENGTH - this.#headerLength);
      at += taken;
      this.#headerLength += taken;
      if (this.#headerLength < HEADER_LENGTH) return;
      this.#headerLength = 0;
      const contentLength = this.#header.readUInt16BE(4);
      this.#skip = contentLength + this.#header.readUInt8(6);
      this.#onRecord(this.#header.readUInt8(1), this.#header.readUInt16BE(2), contentLength);
    }
  }
}
