// WholeLines: the lines in the bytes that a worker writes to its stdout or stderr, fit for a log.

const DEFAULT_MAX_BYTES = 64 * 1024;
const MIN_MAX_BYTES = 4; // one character of UTF-8
const LF = 0x0a;
const CR = 0x0d;

export interface WholeLinesOptions {
  /** Bytes of a line that are kept together; at least 4. Default: 65536. */
  maxBytes?: number;
  /** Leave sequences that set colours, as `printable` does. */
  colors?: boolean;
}

/** A line, or a piece of one that is too long. */
export interface Line {
  /** Without its line end, control characters escaped. */
  readonly text: string;
  /** More of the same line comes in the next one. */
  readonly continues: boolean;
}

/**
 * Bytes in, complete lines out: the same ones however the bytes were cut. A line ends with LF or CRLF. It is decoded as UTF-8
 * (U+FFFD for what is none) as a whole; one of more than `maxBytes` comes in pieces, none of which ends within a character.
 */
export class WholeLines {
  readonly #maxBytes: number;
  readonly #colors: boolean;
  #rest: Buffer = Buffer.alloc(0);

  /** Throws RangeError for a bound that no character fits in. */
  constructor({ maxBytes = DEFAULT_MAX_BYTES, colors = false }: WholeLinesOptions = {}) {
    if (!(maxBytes >= MIN_MAX_BYTES)) throw new RangeError(`maxBytes must be at least ${MIN_MAX_BYTES}`);
    this.#maxBytes = maxBytes;
    this.#colors = colors;
  }

  /** The lines that are complete with these bytes. */
  push(bytes: Buffer): Line[] {
    const lines: Line[] = [];
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const end = rest.indexOf(LF);
      if (end === -1) break;
      const length = end > 0 && rest[end - 1] === CR ? end - 1 : end;
      this.#takeLine(rest.subarray(0, length), lines);
      rest = rest.subarray(end + 1);
    }
    // one byte more than the bound may still be the CR of its line end
    while (rest.length > this.#maxBytes + 1) rest = this.#takePiece(rest, lines);
    this.#rest = Buffer.from(rest); // a copy: a few bytes must not keep a whole read buffer
    return lines;
  }

  /** What came after the last line end. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#rest.length > 0) this.#takeLine(this.#rest, lines);
    this.#rest = Buffer.alloc(0);
    return lines;
  }

  #takeLine(bytes: Buffer, lines: Line[]): void {
    let rest = bytes;
    while (rest.length > this.#maxBytes) rest = this.#takePiece(rest, lines);
    lines.push({ text: printable(rest.toString('utf8'), this.#colors), continues: false });
  }

  #takePiece(bytes: Buffer, lines: Line[]): Buffer {
    const cut = characterStart(bytes, this.#maxBytes);
    lines.push({ text: printable(bytes.toString('utf8', 0, cut), this.#colors), continues: true });
    return bytes.subarray(cut);
  }
}

/**
 * Control characters (C0 but the tab, DEL, C1) as \n, \r or \xNN, and the line separators U+2028 and U+2029: so that what
 * others wrote can neither begin a line of a log nor command the terminal that shows it. `colors`: sequences that only say how
 * what follows looks stay as they are (SGR: ECMA-48, 8.3.117).
 */
export function printable(text: string, colors = false): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\x1b\[[\d;:]*m|[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]/g, (found) => {
    if (found.length > 1) return colors ? found : `\\x1b${found.slice(1)}`;
    if (found === '\n') return '\\n';
    if (found === '\r') return '\\r';
    const code = found.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The same text without sequences that set colours. */
export function withoutColors(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\x1b\[[\d;:]*m/g, '');
}

/** The last place up to `most` where a character begins; `most` itself in what is not UTF-8. */
function characterStart(bytes: Buffer, most: number): number {
  for (let cut = most; cut > most - 4 && cut > 0; cut--) {
    if (((bytes[cut] as number) & 0xc0) !== 0x80) return cut; // not a continuation byte (RFC 3629 section 3)
  }
  return most;
}
