// LogDestination: where the log's lines go: stderr or a file that can be reopened, and never at the cost of the process.

import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';

const STDERR = 2;
const MODE = 0o640;
const DEFAULT_MAX_BYTES = 1024 * 1024;
const STALLED_RETRY = 50; // ms; nothing tells when a descriptor that is not a stream has room
const FAILED_RETRY = 1000; // ms
const FLUSH_WITHIN = 1000; // ms
const FLUSH_STEP = 5; // ms
// Not to wait for the reader of a named pipe, nor to be given a terminal
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY;

export interface LogDestinationOptions {
  /** Path of a file to append to, made with mode 640. Default: stderr. */
  file?: string;
  /** Bytes of lines that may wait while they cannot be written; further lines are dropped. Default: 1048576. */
  maxBytes?: number;
  /** What is written for a line of pino's, such as `prettyFactory(...)` of pino-pretty. Default: the line itself. */
  format?: (line: string) => string;
  /** Told how many lines were dropped, when there is room again. May log. */
  dropped?: (lines: number) => void;
}

/**
 * A destination for pino: `pino({ level }, destination)`. A line is handed to the system at once, in order, on a descriptor that
 * does not block: a SIGKILL loses nothing. What cannot be written (a reader that stalls or is gone, a full disk) waits, bounded,
 * and is tried again; no such failure is thrown, emitted or waited for.
 */
export class LogDestination {
  readonly #file: string | undefined;
  readonly #maxBytes: number;
  readonly #format: ((line: string) => string) | undefined;
  readonly #tellDropped: (lines: number) => void;
  #descriptor: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #retry: NodeJS.Timeout | undefined;

  /** Throws Error where the file cannot be opened. */
  constructor(options: LogDestinationOptions = {}) {
    this.#file = options.file;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#format = options.format;
    this.#tellDropped = options.dropped ?? (() => {});
    this.#descriptor = open(this.#file);
  }

  /** Write one line, or several, with their line ends. */
  write(line: string): void {
    const bytes = Buffer.from(this.#format === undefined ? line : this.#format(line));
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes.length > this.#maxBytes) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#retry === undefined) this.#writeWaiting();
  }

  /**
   * Go on in a new file of the same name, for logrotate (or on what stderr is now). Throws Error where it cannot be opened: the
   * old one then stays in use.
   */
  reopen(): void {
    const old = this.#descriptor;
    this.#descriptor = open(this.#file);
    if (old !== STDERR) closeSync(old);
    this.#writeWaiting();
  }

  /** Write what waits, now: before the process ends. Takes at most 1000 ms and leaves what cannot be written. */
  flush(): void {
    const deadline = Date.now() + FLUSH_WITHIN;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (this.#waiting.length > 0 && Date.now() < deadline) {
      const error = this.#tryWaiting();
      if (error !== undefined && !isStall(error)) return;
      if (error !== undefined) Atomics.wait(pause, 0, 0, FLUSH_STEP);
    }
  }

  #writeWaiting(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const error = this.#tryWaiting();
    if (error !== undefined) {
      this.#retry = setTimeout(() => this.#writeWaiting(), isStall(error) ? STALLED_RETRY : FAILED_RETRY).unref();
      return;
    }
    if (this.#dropped === 0) return;
    const lines = this.#dropped;
    this.#dropped = 0;
    this.#tellDropped(lines);
  }

  /** Returns why something still waits. */
  #tryWaiting(): NodeJS.ErrnoException | undefined {
    try {
      for (let bytes = this.#waiting[0]; bytes !== undefined; bytes = this.#waiting[0]) {
        const written = writeSync(this.#descriptor, bytes);
        this.#waitingBytes -= written;
        if (written < bytes.length) this.#waiting[0] = bytes.subarray(written);
        else this.#waiting.shift();
      }
      return undefined;
    } catch (error) {
      return error as NodeJS.ErrnoException;
    }
  }
}

function isStall(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EAGAIN' || error.code === 'EINTR';
}

function open(file: string | undefined): number {
  if (file === undefined) return openStderr();
  try {
    return openSync(file, FLAGS | constants.O_CREAT, MODE);
  } catch (cause) {
    throw new Error(`the log file ${file} cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

/** A descriptor of stderr that does not block, where possible without a change for those who share stderr with us. */
function openStderr(): number {
  // bigint: what Node 20 remembers of another call for a socket confuses its loader, which then takes links for files
  const stderr = fstatSync(STDERR, { bigint: true });
  if (stderr.isFIFO() || stderr.isCharacterDevice()) {
    try {
      return openSync(`/proc/self/fd/${STDERR}`, FLAGS);
    } catch {
      // another user's, or a system without /proc
    }
  }
  // A socket (systemd's journal) cannot be opened again; libuv makes it non-blocking when it becomes a stream. Not process.stderr:
  // that may have been made before, and a child that inherited stderr since has made it blocking again.
  if (stderr.isFIFO() || stderr.isSocket()) new Socket({ fd: STDERR, readable: false, writable: true }).unref();
  return STDERR;
}
