// A socket to an application that may stop reading before it has finished talking.

import { Socket } from 'node:net';

type WriteCallback = (error?: Error | null) => void;

/**
 * An application may answer early, without reading all of STDIN, and close. Then our write fails (EPIPE) while its answer
 * still lies in our receive buffer, and Node would destroy the socket with it. Here such a write failure only makes
 * the socket `deaf`: what is written is dropped, and reading goes on to the peer's end.
 */
export class ApplicationSocket extends Socket {
  #deaf = false;

  /** Whether the application has stopped reading. */
  get deaf(): boolean {
    return this.#deaf;
  }

  override _write(chunk: unknown, encoding: BufferEncoding, callback: WriteCallback): void {
    if (this.#deaf) callback();
    else super._write(chunk, encoding, this.#tolerant(callback));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], callback: WriteCallback): void {
    if (this.#deaf) callback();
    else super._writev?.(chunks, this.#tolerant(callback));
  }

  #tolerant(callback: WriteCallback): WriteCallback {
    return (error) => {
      const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
      if (code !== 'EPIPE' && code !== 'ECONNRESET') return callback(error);
      this.#deaf = true;
      callback();
    };
  }
}
