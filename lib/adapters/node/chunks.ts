// Chunks: takes the framing off a chunked body (RFC 9112, 7.1), as http.ServerResponse has written it.

const SIZE = 0;
const DATA = 1;
const END = 2; // the line end behind the data
const LAST = 3; // trailers: FastCGI has no place for them

export class Chunks {
  #state = SIZE;
  #line = '';
  #left = 0; // bytes

  /** The data in the next bytes; the framing may be cut anywhere. */
  push(bytes: Buffer): Buffer {
    const data: Buffer[] = [];
    for (let at = 0; at < bytes.length && this.#state !== LAST;) {
      if (this.#state === DATA) {
        const piece = bytes.subarray(at, at + this.#left);
        data.push(piece);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#state = END;
      } else {
        at = this.#lineEnd(bytes, at);
      }
    }
    return data.length === 1 ? (data[0] as Buffer) : Buffer.concat(data);
  }

  #lineEnd(bytes: Buffer, from: number): number {
    const end = bytes.indexOf(10, from);
    this.#line += bytes.toString('latin1', from, end < 0 ? bytes.length : end);
    if (end < 0) return bytes.length;
    if (this.#state === END) {
      this.#state = SIZE;
    } else {
      this.#left = Number.parseInt(this.#line, 16);
      this.#state = this.#left > 0 ? DATA : LAST;
    }
    this.#line = '';
    return end + 1;
  }
}
