// RecordParser: bytes in, records out. A push parser without I/O that copies no stream payload (3.3).

import {
  BEGIN_REQUEST,
  DATA,
  END_REQUEST,
  GET_VALUES,
  GET_VALUES_RESULT,
  HEADER_LENGTH,
  NULL_REQUEST_ID,
  PARAMS,
  UNKNOWN_TYPE,
  VERSION,
  recordName,
} from './constants.ts';
import { ProtocolError } from './protocol-error.ts';

/**
 * Receives records: the content is `chunk[start, end)`.
 *
 * - A stream record (PARAMS, STDIN, STDOUT, STDERR, DATA) arrives in one or more non-empty pieces, because the value of
 *   a stream does not depend on where its records are cut (3.3); an empty one, the end of its stream, arrives as one
 *   empty piece.
 * - A record that this side has to read whole (see RecordParser) arrives once, whole.
 * - Any other record arrives once and empty: its content is skipped.
 */
export type OnRecord = (type: number, id: number, chunk: Buffer, start: number, end: number) => void;

/** Which end of the connection reads: it decides which records have a body worth reading. */
export type Side = 'application' | 'web-server';

const EMPTY = Buffer.alloc(0);
const BODY_LENGTH = 8; // of BEGIN_REQUEST, END_REQUEST and UNKNOWN_TYPE (5.1, 5.5, 4.2)

const isStream = (type: number): boolean => type >= PARAMS && type <= DATA;

/**
 * Cuts a byte stream into records and hands each to `onRecord`.
 *
 * An application reads BEGIN_REQUEST and GET_VALUES whole, a web server END_REQUEST, GET_VALUES_RESULT and UNKNOWN_TYPE.
 * Memory: never more than one header and one such body (`maxManagementBytes`, default 4096 bytes); what streams carry is
 * handed on as it comes. Padding is skipped unseen. The reserved byte is ignored.
 */
export class RecordParser {
  readonly #onRecord: OnRecord;
  readonly #maxManagementBytes: number;
  readonly #fixed: readonly number[]; // types with a body of 8 bytes
  readonly #management: number; // the type with a body of name-value pairs
  #header: Buffer | undefined; // of a header that was cut
  #headerLength = 0;
  #type = 0;
  #id = 0;
  #content = 0; // content bytes of the current record still to come
  #padding = 0; // padding (or skipped content) bytes still to come
  #whole: Buffer | undefined; // body being put together for a record handed on whole
  #wholeLength = 0;
  #stopped = false;

  constructor(side: Side, onRecord: OnRecord, options: { maxManagementBytes?: number } = {}) {
    this.#onRecord = onRecord;
    this.#maxManagementBytes = options.maxManagementBytes ?? 4096;
    this.#fixed = side === 'application' ? [BEGIN_REQUEST] : [END_REQUEST, UNKNOWN_TYPE];
    this.#management = side === 'application' ? GET_VALUES : GET_VALUES_RESULT;
  }

  /** Whether the bytes so far end at a record's boundary. */
  get atBoundary(): boolean {
    return this.#headerLength === 0 && this.#content === 0 && this.#padding === 0;
  }

  /** Hand on nothing more, not even the rest of the chunk being parsed. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Parse the next bytes of the stream, in chunks of any size.
   * Throws ProtocolError `BAD_VERSION`, `BAD_LENGTH` or `TOO_LARGE`; the stream has no meaning after that.
   */
  push(chunk: Buffer): void {
    let at = 0;
    const size = chunk.length;
    while (at < size && !this.#stopped) {
      if (this.#content > 0) at = this.#readContent(chunk, at);
      else if (this.#padding > 0) {
        const skip = Math.min(this.#padding, size - at);
        this.#padding -= skip;
        at += skip;
      } else at = this.#readHeader(chunk, at);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#headerLength === 0 && chunk.length - at >= HEADER_LENGTH) {
      this.#begin(chunk, at);
      return at + HEADER_LENGTH;
    }
    this.#header ??= Buffer.alloc(HEADER_LENGTH);
    const taken = chunk.copy(this.#header, this.#headerLength, at, at + HEADER_LENGTH - this.#headerLength);
    if (this.#headerLength === 0 && chunk[at] !== VERSION) throw badVersion(chunk[at] as number);
    this.#headerLength += taken;
    if (this.#headerLength === HEADER_LENGTH) {
      this.#headerLength = 0;
      this.#begin(this.#header, 0);
    }
    return at + taken;
  }

  #begin(header: Buffer, at: number): void {
    if (header[at] !== VERSION) throw badVersion(header[at] as number);
    const type = header[at + 1] as number;
    this.#type = type;
    this.#id = ((header[at + 2] as number) << 8) | (header[at + 3] as number);
    const content = ((header[at + 4] as number) << 8) | (header[at + 5] as number);
    this.#padding = header[at + 6] as number;
    this.#content = content;
    if (isStream(type)) {
      if (content === 0) this.#onRecord(type, this.#id, EMPTY, 0, 0);
    } else if (this.#isWhole(type, content)) {
      if (content === 0) this.#onRecord(type, this.#id, EMPTY, 0, 0);
    } else {
      this.#padding += content; // up to 65,790: one number, nothing that could wrap
      this.#content = 0;
      this.#onRecord(type, this.#id, EMPTY, 0, 0);
    }
  }

  /** Whether a record is handed on whole. Throws ProtocolError where its body is longer than is right. */
  #isWhole(type: number, content: number): boolean {
    if (type === this.#management) {
      if (content <= this.#maxManagementBytes) return true;
      if (this.#id !== NULL_REQUEST_ID) return false; // no management record at all (4): nobody wants its body
      throw new ProtocolError(
        'TOO_LARGE',
        `${recordName(type)} with ${content} bytes, over ${this.#maxManagementBytes}`,
      );
    }
    if (!this.#fixed.includes(type)) return false;
    if (content === BODY_LENGTH) return true;
    throw new ProtocolError('BAD_LENGTH', `${recordName(type)} body of ${content} bytes, 8 are right`);
  }

  #readContent(chunk: Buffer, at: number): number {
    const end = Math.min(at + this.#content, chunk.length);
    if (isStream(this.#type)) {
      this.#content -= end - at;
      this.#onRecord(this.#type, this.#id, chunk, at, end);
      return end;
    }
    if (this.#whole === undefined && end - at === this.#content) {
      this.#content = 0;
      this.#onRecord(this.#type, this.#id, chunk, at, end);
      return end;
    }
    this.#whole ??= Buffer.alloc(this.#content);
    chunk.copy(this.#whole, this.#wholeLength, at, end);
    this.#wholeLength += end - at;
    this.#content -= end - at;
    if (this.#content === 0) {
      const whole = this.#whole;
      this.#whole = undefined;
      this.#wholeLength = 0;
      this.#onRecord(this.#type, this.#id, whole, 0, whole.length);
    }
    return end;
  }
}

function badVersion(version: number): ProtocolError {
  return new ProtocolError('BAD_VERSION', `FastCGI version ${version}: the peer does not speak FastCGI 1.0`);
}
