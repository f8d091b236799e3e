// Spool: a temporary file for input whose handler is slow while other requests share its connection.

import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const READ_SIZE = 64 * 1024;

/** First in, first out, in a file that has no name any more: it is gone with its descriptor. */
export class Spool {
  #file: Promise<FileHandle> | undefined;
  #last: Promise<unknown> = Promise.resolve(); // operations run one after the other
  #writeAt = 0;
  #readAt = 0;

  /** Bytes not read yet. */
  get length(): number {
    return this.#writeAt - this.#readAt;
  }

  /** Append; resolves when the bytes are in the file. Rejects as the file system does. */
  append(piece: Buffer): Promise<void> {
    const at = this.#writeAt;
    this.#writeAt += piece.length;
    return this.#inTurn(async (file) => {
      for (let done = 0; done < piece.length;) {
        done += (await file.write(piece, done, piece.length - done, at + done)).bytesWritten;
      }
    });
  }

  /** The oldest bytes, at most 64 KiB. */
  read(): Promise<Buffer> {
    const at = this.#readAt;
    const length = Math.min(READ_SIZE, this.length);
    this.#readAt += length;
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
    this.#last = this.#last.then(
      () => this.#file?.then((file) => file.close()),
      () => this.#file?.then((file) => file.close()),
    );
    this.#last.catch(() => {}); // nothing is left to be told
  }

  #inTurn<T>(work: (file: FileHandle) => Promise<T>): Promise<T> {
    this.#file ??= openNameless();
    const file = this.#file;
    const result = this.#last.then(() => file).then(work);
    this.#last = result.catch(() => {}); // the one who asked is told
    return result;
  }
}

async function openNameless(): Promise<FileHandle> {
  const path = join(tmpdir(), `postfork-${process.pid}-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}
