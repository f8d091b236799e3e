// OutgoingResponse: STDOUT, STDERR and END_REQUEST of one request (specification 5.5, 6.1).

import {
  END_REQUEST,
  HEADER_LENGTH,
  headerText,
  REQUEST_COMPLETE,
  STDERR,
  STDOUT,
  STREAM_RECORD_LENGTH,
  streamBuffers,
  writeHeader,
} from '../protocol/index.ts';
import type { Response } from './exchange.ts';

/** What a response needs of its connection. */
export interface Outlet {
  /** Send bytes, or latin1 text, in one go. */
  write(data: Buffer | string): void;
  /** Gather everything that is written in this turn of the event loop, by async handlers too, into one write. */
  gather(): void;
  /** Whether the web server takes less than we send. */
  readonly congested: boolean;
  /** Resolves when it is no longer congested, or closed, or somebody calls `wake`. */
  drained(): Promise<void>;
  /** Let those who wait look again. */
  wake(): void;
  readonly align: boolean;
}

const SMALL_TEXT = 16 * 1024; // below it Node writes latin1 text without a buffer of its own
const SMALL_BODY = 10 * 1024; // below it a copy is cheaper than writev

/** The bytes behind the last piece: end of STDOUT, then END_REQUEST, which must be the very last. */
function tailText(id: number, appStatus: number): string {
  return (
    headerText(STDOUT, id, 0) +
    headerText(END_REQUEST, id, 8) +
    String.fromCharCode(appStatus >>> 24, (appStatus >>> 16) & 0xff, (appStatus >>> 8) & 0xff, appStatus & 0xff) +
    String.fromCharCode(REQUEST_COMPLETE, 0, 0, 0)
  );
}

const MAX_MESSAGE = 8192; // bytes of a line in STDERR

const USUAL_TAIL = tailText(1, 0); // all web servers but the multiplexing ones use id 1 only

/** The request that a response is for. */
export interface ResponseOwner {
  readonly id: number;
  /** Told once, when END_REQUEST has been written, or when the answer was cut. */
  over(cut: boolean): void;
}

export class OutgoingResponse implements Response {
  readonly #id: number;
  readonly #outlet: Outlet;
  readonly #owner: ResponseOwner;
  #started = false;
  #over = false;
  #stderrUsed = false;

  constructor(owner: ResponseOwner, outlet: Outlet) {
    this.#id = owner.id;
    this.#outlet = outlet;
    this.#owner = owner;
  }

  get started(): boolean {
    return this.#started;
  }

  get over(): boolean {
    return this.#over;
  }

  /** The connection's side: the request was aborted; nothing is sent for it from here on. */
  drop(): void {
    this.#over = true;
    this.#outlet.wake();
  }

  send(head: string, body: string | Uint8Array, appStatus = 0): void {
    if (this.#over) return;
    if (this.#started) throw new TypeError('this response has been started already');
    const length = head.length + body.length;
    const plain = !this.#outlet.align && length <= STREAM_RECORD_LENGTH;
    if (plain && typeof body === 'string' && length <= SMALL_TEXT) {
      this.#started = true;
      this.#outlet.write(headerText(STDOUT, this.#id, length) + head + body + this.#tail(appStatus));
      this.#finish();
    } else if (plain && body.length <= SMALL_BODY) {
      this.#started = true;
      this.#outlet.write(this.#oneBuffer(head, asBuffer(body), appStatus));
      this.#finish();
    } else {
      this.start(head);
      this.write(body);
      this.end(appStatus);
    }
  }

  start(head: string): void {
    if (this.#over) return;
    if (this.#started) throw new TypeError('this response has been started already');
    this.#started = true;
    this.#writeStream(STDOUT, Buffer.from(head, 'latin1'));
  }

  write(piece: string | Uint8Array): boolean {
    if (this.#over) return true;
    if (!this.#started) throw new TypeError('a response starts with its head');
    this.#writeStream(STDOUT, asBuffer(piece));
    return !this.#outlet.congested;
  }

  async drained(): Promise<void> {
    while (!this.#over && this.#outlet.congested) await this.#outlet.drained();
  }

  end(appStatus = 0): void {
    if (this.#over) return;
    this.#started = true;
    this.#outlet.write(this.#tail(appStatus));
    this.#finish();
  }

  stderr(message: string): void {
    if (this.#over || message === '') return;
    this.#stderrUsed = true;
    this.#writeStream(STDERR, logLine(message));
  }

  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.over(true);
  }

  #finish(): void {
    this.#over = true;
    this.#owner.over(false);
  }

  #writeStream(type: number, content: Buffer): void {
    this.#outlet.gather();
    for (const buffer of streamBuffers(type, this.#id, content, this.#outlet.align)) this.#outlet.write(buffer);
  }

  #tail(appStatus: number): string {
    const tail = this.#id === 1 && appStatus === 0 ? USUAL_TAIL : tailText(this.#id, appStatus);
    return this.#stderrUsed ? headerText(STDERR, this.#id, 0) + tail : tail; // a used STDERR is ended too (6.1)
  }

  #oneBuffer(head: string, body: Buffer, appStatus: number): Buffer {
    const tail = this.#tail(appStatus);
    const length = head.length + body.length;
    const buffer = Buffer.allocUnsafe(HEADER_LENGTH + length + tail.length);
    let at = writeHeader(buffer, 0, STDOUT, this.#id, length);
    at += buffer.write(head, at, 'latin1');
    buffer.set(body, at);
    buffer.write(tail, at + body.length, 'latin1');
    return buffer;
  }
}

// eslint-disable-next-line no-control-regex
const CONTROLS = /[\0-\x1f\x7f]/g;

/** One line, whatever is in it: a message must not be able to forge another line of the web server's log. */
function logLine(message: string): Buffer {
  const line = message.slice(0, MAX_MESSAGE).trimEnd().replace(CONTROLS, escaped);
  return Buffer.concat([Buffer.from(line).subarray(0, MAX_MESSAGE - 1), Buffer.from('\n')]);
}

function escaped(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function asBuffer(bytes: string | Uint8Array): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'latin1');
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
