// Name-value pairs (3.4): how PARAMS and the management records carry variables.

import { ProtocolError } from './protocol-error.ts';

/** Bounds on a stream of pairs. */
export interface PairLimits {
  /** The most bytes of the whole stream, length bytes included. Default 1 MiB. */
  maxBytes?: number;
  /** The most pairs. Default 1000. */
  maxPairs?: number;
}

const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_PAIRS = 1000;
const EMPTY = Buffer.alloc(0);

/**
 * The pairs of a finished stream, decoded when asked for.
 *
 * Names and values are latin1 strings: one character for each byte, so that no byte is lost, whatever its encoding.
 * A name may come more than once (nginx before 1.23 repeats headers): `get` gives the last, iteration gives all, in order.
 */
export class NameValues implements Iterable<[string, string]> {
  readonly #text: string;

  /** `text`: well-formed pairs as latin1, as PairReader leaves them. */
  constructor(text: string) {
    this.#text = text;
  }

  /**
   * The value of the last pair of that name, or undefined; with a `separator`, the values of all of them, joined.
   * Linear in the number of pairs.
   */
  get(name: string, separator?: string): string | undefined {
    const text = this.#text;
    const first = name.charCodeAt(0);
    let found: string | undefined;
    for (let at = 0; at < text.length;) {
      let nameLength = text.charCodeAt(at);
      if (nameLength > 127) {
        nameLength = longLength(text, at);
        at += 3;
      }
      let valueLength = text.charCodeAt(at + 1);
      if (valueLength > 127) {
        valueLength = longLength(text, at + 1);
        at += 3;
      }
      at += 2;
      const valueAt = at + nameLength;
      if (
        nameLength === name.length &&
        (nameLength === 0 || text.charCodeAt(at) === first) &&
        text.startsWith(name, at)
      ) {
        const value = text.slice(valueAt, valueAt + valueLength);
        found = found === undefined || separator === undefined ? value : found + separator + value;
      }
      at = valueAt + valueLength;
    }
    return found;
  }

  /** Whether a pair of that name came. */
  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    const pairs: [string, string][] = [];
    this.each('', (name, value) => pairs.push([name, value]));
    yield* pairs;
  }

  /** Call `visit` for each pair, in order; where `initials` are given, for those whose names begin with one of them. */
  each(initials: string, visit: (name: string, value: string) => void): void {
    const text = this.#text;
    for (let at = 0; at < text.length;) {
      let nameLength = text.charCodeAt(at++);
      if (nameLength > 127) {
        nameLength = longLength(text, at - 1);
        at += 3;
      }
      let valueLength = text.charCodeAt(at++);
      if (valueLength > 127) {
        valueLength = longLength(text, at - 1);
        at += 3;
      }
      const valueAt = at + nameLength;
      const end = valueAt + valueLength;
      // Most variables are not asked for: those are not even cut out.
      if (initials === '' || (nameLength > 0 && initials.includes(text.charAt(at)))) {
        visit(text.slice(at, valueAt), text.slice(valueAt, end));
      }
      at = end;
    }
  }
}

function longLength(text: string, at: number): number {
  return (
    (((text.charCodeAt(at) & 0x7f) << 24) |
      (text.charCodeAt(at + 1) << 16) |
      (text.charCodeAt(at + 2) << 8) |
      text.charCodeAt(at + 3)) >>>
    0
  );
}

/**
 * Reads pairs from a stream cut anywhere: between records, inside a pair, inside a length (Appendix B.2).
 *
 * One piece that holds everything is not copied. Lengths are checked against the bound before anything is allocated, so
 * that a pair that announces 2 GiB costs nothing.
 */
export class PairReader {
  readonly #maxBytes: number;
  readonly #maxPairs: number;
  #buffer: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  #at = 0; // where the first pair not yet complete begins
  #pairs = 0;
  #owned = false;

  constructor(limits: PairLimits = {}) {
    this.#maxBytes = limits.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#maxPairs = limits.maxPairs ?? DEFAULT_MAX_PAIRS;
  }

  /**
   * Take the next piece, `chunk[start, end)`. The chunk must stay unchanged until `finish`.
   * Throws ProtocolError `TOO_LARGE` or `TOO_MANY`.
   */
  push(chunk: Buffer, start: number, end: number): void {
    if (this.#end - this.#start + (end - start) > this.#maxBytes) throw this.#tooLarge();
    if (this.#start === this.#end) {
      this.#buffer = chunk;
      this.#start = this.#at = start;
      this.#end = end;
    } else this.#append(chunk, start, end);
    this.#scan();
  }

  /** The stream has ended. Throws ProtocolError `BAD_PAIR` where its last pair is cut. */
  finish(): NameValues {
    if (this.#at !== this.#end) throw new ProtocolError('BAD_PAIR', 'the last name-value pair is cut (section 3.4)');
    return new NameValues(this.#buffer.toString('latin1', this.#start, this.#end));
  }

  #append(chunk: Buffer, start: number, end: number): void {
    const length = this.#end - this.#start;
    const needed = length + end - start;
    if (!this.#owned || needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#maxBytes, Math.max(1024, needed * 2)));
      this.#buffer.copy(grown, 0, this.#start, this.#end);
      this.#buffer = grown;
      this.#at -= this.#start;
      this.#start = 0;
      this.#owned = true;
    }
    chunk.copy(this.#buffer, length, start, end);
    this.#end = needed;
  }

  /** Walk over the pairs that are complete, and refuse one whose announced length is over the bound. */
  #scan(): void {
    const buffer = this.#buffer;
    const end = this.#end;
    for (;;) {
      let at = this.#at;
      if (at + 2 > end) return;
      let nameLength = buffer[at++] as number;
      if (nameLength > 127) {
        if (at + 3 > end) return;
        nameLength = buffer.readUInt32BE(at - 1) & 0x7fffffff;
        at += 3;
      }
      if (at >= end) return this.#refuseOver(nameLength);
      let valueLength = buffer[at++] as number;
      if (valueLength > 127) {
        if (at + 3 > end) return this.#refuseOver(nameLength);
        valueLength = buffer.readUInt32BE(at - 1) & 0x7fffffff;
        at += 3;
      }
      const next = at + nameLength + valueLength; // two 31-bit lengths: exact in a number
      if (next > end) return this.#refuseOver(next - at);
      this.#pairs += 1;
      if (this.#pairs > this.#maxPairs) {
        throw new ProtocolError('TOO_MANY', `more than ${this.#maxPairs} name-value pairs`);
      }
      this.#at = next;
    }
  }

  #refuseOver(pairLength: number): void {
    if (this.#at - this.#start + pairLength > this.#maxBytes) throw this.#tooLarge();
  }

  #tooLarge(): ProtocolError {
    return new ProtocolError('TOO_LARGE', `name-value pairs of more than ${this.#maxBytes} bytes`);
  }
}

/**
 * Encode pairs: lengths up to 127 in one byte, longer ones in four (3.4). Strings must be latin1 (one byte a
 * character); for other text give its bytes as `Buffer.from(text).toString('latin1')`.
 */
export function encodePairs(pairs: Iterable<readonly [name: string, value: string]>): Buffer {
  let text = '';
  for (const [name, value] of pairs) text += encodeLength(name.length) + encodeLength(value.length) + name + value;
  return Buffer.from(text, 'latin1');
}

function encodeLength(length: number): string {
  if (length < 128) return String.fromCharCode(length);
  if (length > 0x7fffffff) throw new RangeError('a name or value is at most 2,147,483,647 bytes (section 3.4)');
  return String.fromCharCode((length >>> 24) | 0x80, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff);
}
