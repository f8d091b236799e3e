// DescriptorPipe: one end of the socket by which open connections go from a worker to the arbiter, and on to another worker.

import { closeSync } from 'node:fs';
import type { Native } from './native.ts';

/** A message on the channel goes with each descriptor: nobody waits on this socket itself. */
export class DescriptorPipe {
  readonly #native: Native;
  readonly #fd: number;
  #closed = false;

  /** Two ends: ours, and the descriptor of the one for another process, to be closed here once that has it. */
  static pair(native: Native): { ours: DescriptorPipe; theirs: number } {
    const [ours, theirs] = native.socketpair();
    return { ours: new DescriptorPipe(native, ours), theirs };
  }

  constructor(native: Native, fd: number) {
    this.#native = native;
    this.#fd = fd;
  }

  /** Send a copy of a descriptor. False where the other side is gone or has too many waiting. */
  send(fd: number): boolean {
    if (this.#closed) return false;
    try {
      this.#native.sendDescriptors(this.#fd, [fd]);
      return true;
    } catch {
      return false;
    }
  }

  /** One that has come: now the caller's to close. Undefined where there is none. */
  receive(): number | undefined {
    if (this.#closed) return undefined;
    try {
      const [fd, ...more] = this.#native.receiveDescriptors(this.#fd);
      for (const extra of more) closeSync(extra);
      return fd;
    } catch {
      return undefined;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}
