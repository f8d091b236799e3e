// Channel: the way out to the web server. Writes, waits for room, and ends the connection without losing what was written.

import type { Socket } from 'node:net';
import type { Settings } from './options.ts';
import type { Outlet } from './outgoing-response.ts';

/** A moment that the next sweep writes down: events happen far more often than anybody asks when they were. */
export const JUST_NOW = -1;

export class Channel implements Outlet {
  readonly align: boolean;
  readonly #socket: Socket;
  readonly #settings: Settings;
  #gathering = false;
  #ending = false;
  #endingSince = JUST_NOW;
  #waiting: (() => void)[] = [];
  #flushed = 0; // bytes the web server had taken at #flushedSince
  #flushedSince = JUST_NOW;

  constructor(socket: Socket, settings: Settings) {
    this.#socket = socket;
    this.#settings = settings;
    this.align = settings.align;
    socket.on('drain', () => this.#wake());
    socket.on('close', () => this.#wake());
  }

  get congested(): boolean {
    return this.#socket.writableLength >= this.#settings.outputBuffer;
  }

  /** Whether the end has begun: what still comes in is of no interest. */
  get ending(): boolean {
    return this.#ending;
  }

  write(data: Buffer | string): void {
    if (this.#socket.destroyed) return;
    if (typeof data === 'string') this.#socket.write(data, 'latin1');
    else this.#socket.write(data);
  }

  gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#gathering = false;
      this.#socket.uncork();
    });
  }

  drained(): Promise<void> {
    if (this.#socket.destroyed || !this.congested) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /**
   * Close when everything written has been sent. Where input is still to come, closing would lose the answer (the web
   * server's write fails before it reads): then only our side ends, and the rest is read and dropped for lingerTimeout.
   */
  finish(inputEnded: boolean): void {
    if (this.#ending) return;
    this.#ending = true;
    if (!inputEnded) this.#socket.end();
    else if (this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  /** Break the connection off, so that the web server takes nothing for complete; what was written goes first. */
  reset(): void {
    this.#ending = true;
    setImmediate(() => {
      if (this.#socket.remoteFamily === undefined)
        this.#socket.destroy(); // a unix socket has no reset
      else this.#socket.resetAndDestroy();
    });
  }

  /** Look at the deadlines for sending. `now` in milliseconds. */
  sweep(now: number): void {
    const socket = this.#socket;
    if (this.#ending) {
      if (this.#endingSince === JUST_NOW) this.#endingSince = now;
      if (socket.writableLength === 0 && now - this.#endingSince >= this.#settings.lingerTimeout) socket.destroy();
    }
    const flushed = socket.bytesWritten - socket.writableLength;
    if (socket.writableLength === 0 || flushed !== this.#flushed || this.#flushedSince === JUST_NOW) {
      this.#flushed = flushed;
      this.#flushedSince = now;
    } else if (now - this.#flushedSince >= this.#settings.writeTimeout) {
      this.#settings.log.warn({}, 'connection closed: the web server took nothing for writeTimeout');
      socket.destroy();
    }
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
