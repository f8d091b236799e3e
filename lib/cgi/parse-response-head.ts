// The head of a CGI response, read the way a web server reads it (RFC 3875, section 6).

/**
 * - `BAD_HEAD`: not a CGI response's head; the message says why.
 * - `HEAD_TOO_LARGE`: its empty line did not come within the bound.
 */
export type MalformedHeadErrorCode = 'BAD_HEAD' | 'HEAD_TOO_LARGE';

/** A response does not begin with a head that RFC 3875 allows; `code` tells why. */
export class MalformedHeadError extends Error {
  readonly code: MalformedHeadErrorCode;

  constructor(code: MalformedHeadErrorCode, message: string) {
    super(message);
    this.name = 'MalformedHeadError';
    this.code = code;
  }
}

/** A response's head. Names and values are latin1 strings: one character for each byte. */
export interface ResponseHead {
  /** From Status; without one 302 where there is a Location, else 200 (6.2, 6.3.3). */
  status: number;
  /** The reason phrase of Status; '' where there is none. */
  reason: string;
  /** The header fields but Status, in order, names as sent, values without white space around them. */
  headers: [name: string, value: string][];
  /** Content-Length in bytes, where it was sent. */
  contentLength: number | undefined;
  /** The path and query of a local redirect (6.2.2), which the web server answers as if it had been asked for it. */
  localRedirect: string | undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // RFC 9110, 5.6.2; no white space before the colon (RFC 3875, 6.3)
const DEFAULT_MAX_BYTES = 65_536;

/** Finds the end of the head in a stream cut anywhere. Each byte is looked at once. */
export class ResponseHeadParser {
  readonly #maxBytes: number;
  #text = '';
  #lineLength = 0;
  #lineFirst = 0; // the first byte of the current line

  /** `maxBytes`: bound on the head with its empty line. Default 65,536. */
  constructor(maxBytes: number = DEFAULT_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Whether nothing has come yet. */
  get empty(): boolean {
    return this.#text === '';
  }

  /**
   * Take the next piece, `chunk[start, end)`. Returns where in it the body begins, or -1 while the head goes on.
   * Throws MalformedHeadError `HEAD_TOO_LARGE`.
   */
  push(chunk: Buffer, start: number, end: number): number {
    const piece = chunk.subarray(start, end);
    for (let at = 0; at < piece.length;) {
      const found = piece.indexOf(LF, at);
      const lineEnd = found < 0 ? piece.length : found;
      if (this.#lineLength === 0 && lineEnd > at) this.#lineFirst = piece[at] as number;
      this.#lineLength += lineEnd - at;
      if (found < 0) break;
      at = found + 1;
      if (this.#lineLength === 0 || (this.#lineLength === 1 && this.#lineFirst === CR)) {
        this.#take(piece, at);
        return start + at;
      }
      this.#lineLength = 0;
    }
    this.#take(piece, piece.length);
    return -1;
  }

  /** The head that `push` has found. Throws MalformedHeadError `BAD_HEAD`. */
  head(): ResponseHead {
    return parseResponseHead(this.#text);
  }

  #take(piece: Buffer, length: number): void {
    if (this.#text.length + length > this.#maxBytes) {
      throw new MalformedHeadError('HEAD_TOO_LARGE', `the response's head is over ${this.#maxBytes} bytes`);
    }
    this.#text += piece.toString('latin1', 0, length);
  }
}

/**
 * Read a head: `text` in latin1, lines ended by LF or CRLF, with or without the empty line at its end.
 *
 * Stricter than RFC 3875 where leniency would pass an injected line on: no folded lines, no CR or NUL inside a value.
 * More lenient where web servers are: no CGI field (Content-Type, Location, Status) has to be there.
 * Throws MalformedHeadError `BAD_HEAD`.
 */
export function parseResponseHead(text: string): ResponseHead {
  const head: ResponseHead = { status: 0, reason: '', headers: [], contentLength: undefined, localRedirect: undefined };
  let contentType: string | undefined;
  let location: string | undefined;
  for (const [name, value] of fields(text)) {
    switch (name.toLowerCase()) {
      case 'status':
        if (head.status !== 0) throw twice(name);
        readStatus(head, value);
        continue;
      case 'content-type':
        if (contentType !== undefined) throw twice(name);
        contentType = value;
        break;
      case 'location':
        if (location !== undefined) throw twice(name);
        location = value;
        break;
      case 'content-length':
        readContentLength(head, value);
        break;
    }
    head.headers.push([name, value]);
  }
  if (head.status === 0) {
    if (location?.startsWith('/') && !location.startsWith('//')) head.localRedirect = location;
    head.status = location === undefined ? 200 : 302;
  }
  return head;
}

/** The header fields, one a line, up to the empty line. */
function* fields(text: string): Generator<[name: string, value: string]> {
  let count = 0;
  for (let at = 0; at < text.length;) {
    const found = text.indexOf('\n', at);
    const lineEnd = found < 0 ? text.length : found;
    const line = text.slice(at, text.charCodeAt(lineEnd - 1) === CR && lineEnd > at ? lineEnd - 1 : lineEnd);
    at = lineEnd + 1;
    if (line === '') break;
    count += 1;
    yield readField(line);
  }
  if (count === 0) throw bad('the response begins with an empty line: it has no header field (RFC 3875, 6.2)');
}

function readField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  if (colon < 1 || !FIELD_NAME.test(name)) {
    if (line.startsWith('HTTP/')) {
      throw bad(
        `${shown(line)} is an HTTP status line; a CGI response says "Status: 200 OK" instead (RFC 3875, 6.3.3)`,
      );
    }
    throw bad(`${shown(line)} is not a header field (RFC 3875, 6.3)`);
  }
  const value = trim(line.slice(colon + 1));
  if (value.includes('\r') || value.includes('\0')) throw bad(`${shown(line)} has a CR or NUL in its value`);
  return [name, value];
}

function readStatus(head: ResponseHead, value: string): void {
  const match = /^(\d{3})(?:[ \t]+(.*))?$/.exec(value);
  const status = Number(match?.[1]);
  // 1xx heads are followed by another head, which a CGI response cannot have; but 101 is followed by the new protocol.
  if (!match || status > 599 || (status < 200 && status !== 101)) {
    throw bad(`Status ${shown(value)}: three digits, 200 to 599, and a phrase are right (RFC 3875, 6.3.3)`);
  }
  head.status = status;
  head.reason = match[2] ?? '';
}

function readContentLength(head: ResponseHead, value: string): void {
  if (!/^\d{1,15}$/.test(value)) throw bad(`Content-Length ${shown(value)} is not a number of bytes`);
  const length = Number(value);
  if (head.contentLength !== undefined && head.contentLength !== length) {
    throw bad(`two Content-Lengths, ${head.contentLength} and ${length}`);
  }
  head.contentLength = length;
}

/** Without the spaces and tabs around it; not String.trim, which also takes NBSP, a byte of its own in latin1. */
function trim(value: string): string {
  return value.replace(/^[ \t]+/, '').replace(/(?<![ \t])[ \t]+$/, '');
}

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}...` : text);
const bad = (message: string): MalformedHeadError => new MalformedHeadError('BAD_HEAD', message);
const twice = (name: string): MalformedHeadError =>
  bad(`${name} stands there twice; it must not be repeated (RFC 3875, 6.3)`);
