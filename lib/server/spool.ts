// Spool: a temporary file for input whose handler is slow while other requests share its connection.

import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PieceQueue } from './piece-queue.ts';

const READ_SIZE = 64 * 1024;

/** First in, first out, in a file that has no name any more: it is gone with its descriptor. */
export class Spool {
  readonly #onWritten: () => void;
  readonly #onError: (error: Error) => void;
  readonly #waiting: PieceQueue = new PieceQueue(); // behind what is in the file
  #writing = 0; // bytes on their way into the file
  #file: Promise<FileHandle> | undefined;
  #last: Promise<unknown> = Promise.resolve(); // operations run one after the other
  #writeAt = 0;
  #readAt = 0;

  /** `onWritten`: less is in memory. `onError`: the file system refused, the bytes are lost. */
  constructor(onWritten: () => void, onError: (error: Error) => void) {
    this.#onWritten = onWritten;
    this.#onError = onError;
  }

  /** Bytes not read yet. */
  get length(): number {
    return this.#writeAt - this.#readAt + this.#waiting.length;
  }

  /** Bytes in memory. */
  get unwritten(): number {
    return this.#writing + this.#waiting.length;
  }

  /** Bytes the file has or will have. Its beginning is used again only when all of it has been read. */
  get size(): number {
    return this.#writeAt + this.#waiting.length;
  }

  push(piece: Buffer): void {
    this.#waiting.push(piece);
    this.#write();
  }

  /** The oldest bytes, at most 64 KiB from the file. Only where `length` is not 0. Rejects as the file system does. */
  async read(): Promise<Buffer> {
    const at = this.#readAt;
    const length = Math.min(READ_SIZE, this.#writeAt - at);
    if (length === 0) return this.#waiting.shift() as Buffer;
    this.#readAt += length;
    if (this.#readAt === this.#writeAt) this.#readAt = this.#writeAt = 0; // what is written next comes behind this read
    return this.#inTurn(async (file) => {
      const piece = Buffer.allocUnsafe(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(piece, done, length - done, at + done);
        if (bytesRead === 0) throw new Error('the temporary file of a request body is shorter than what was written');
        done += bytesRead;
      }
      return piece;
    });
  }

  /** Give the file back. */
  close(): void {
    this.#waiting.takeAll();
    void this.#inTurn((file) => file.close()).catch(() => {}); // nothing is left to be told
  }

  /** Everything that waits, in one go, if nothing is being written. */
  #write(): void {
    if (this.#writing > 0 || this.#waiting.length === 0) return;
    let at = this.#writeAt;
    this.#writing = this.#waiting.length;
    this.#writeAt += this.#writing;
    const pieces = this.#waiting.takeAll();
    const written = this.#inTurn(async (file) => {
      for (const piece of pieces) {
        await writeAll(file, piece, at);
        at += piece.length;
      }
    });
    written.then(
      () => {
        this.#writing = 0;
        this.#write();
        this.#onWritten();
      },
      (error: Error) => this.#onError(error),
    );
  }

  #inTurn<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    this.#file ??= openNameless();
    const file = this.#file;
    const result = this.#last.then(() => file).then(work);
    this.#last = result.catch(() => {}); // the one who asked is told
    return result;
  }
}

async function writeAll(file: FileHandle, piece: Buffer, at: number): Promise<void> {
  for (let done = 0; done < piece.length;) {
    done += (await file.write(piece, done, piece.length - done, at + done)).bytesWritten;
  }
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `postfork-${process.pid}-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}
