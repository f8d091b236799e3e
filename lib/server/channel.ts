// Channel: the way out to the web server. Writes, waits for room, and ends the connection without losing what was written.

import type { Socket } from 'node:net';
import { headerText } from '../protocol/index.ts';
import type { Settings } from './options.ts';
import type { Outlet } from './outgoing-response.ts';

/** A moment that the next sweep writes down: events happen far more often than anybody asks when they were. */
export const JUST_NOW = -1;

const FOREIGN_TYPE = 255; // a record type that the specification does not define (8)
const MAX_TIMER = 2 ** 31 - 1; // Node's timers take longer times for the shortest

export class Channel implements Outlet {
  readonly align: boolean;
  readonly #socket: Socket;
  readonly #settings: Settings;
  #gathering = false;
  #text = ''; // gathered: joining texts costs far less than a write for each
  #ending = false;
  #endingSince = JUST_NOW; // and nothing left to send
  #waiting: (() => void)[] = [];
  #watched = false; // whether the socket's own timeout is set, which sees a large write progress

  constructor(socket: Socket, settings: Settings) {
    this.#socket = socket;
    this.#settings = settings;
    this.align = settings.align;
    socket.on('drain', () => this.wake());
    socket.on('close', () => this.wake());
    socket.on('timeout', () => this.#onTimeout());
  }

  get congested(): boolean {
    return !this.#socket.destroyed && this.queued >= this.#settings.outputBuffer;
  }

  /** Bytes that the web server has not taken yet. */
  get queued(): number {
    return this.#socket.writableLength + this.#text.length;
  }

  /** Whether the end has begun: what still comes in is of no interest. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Of the socket; undefined once it is closed. */
  get descriptor(): number | undefined {
    return (this.#socket as unknown as { _handle: { fd: number } | null })._handle?.fd;
  }

  /** Close this process's copy of the descriptor: another process has the connection. */
  abandon(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  write(data: Buffer | string): void {
    if (this.#socket.destroyed) return;
    if (typeof data !== 'string') {
      this.#writeText();
      this.#socket.write(data);
    } else if (this.#gathering) this.#text += data;
    else this.#socket.write(data, 'latin1');
  }

  gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    this.#socket.cork();
    setImmediate(() => this.flush());
  }

  /** Send what was gathered. */
  flush(): void {
    if (!this.#gathering) return;
    this.#gathering = false;
    this.#writeText();
    this.#socket.uncork();
  }

  /** Call back when all that is queued now has been sent, or cannot be. */
  whenSent(callback: () => void): void {
    this.#socket.write('', callback);
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
    this.#writeText();
    if (!inputEnded) this.#socket.end();
    else if (this.#socket.writableLength === 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  /** Close at once. What was gathered goes first, as far as the system takes it: it was said before the reason to close. */
  close(): void {
    this.flush();
    this.#socket.destroy();
  }

  /**
   * Close so that the web server takes nothing for complete. To nginx the end of a connection is the end of an answer without
   * a length, and a reset takes away what it has not passed on yet. So a record goes before the end that no web server lets
   * pass for a part of an answer.
   */
  breakOff(id: number, inputEnded: boolean): void {
    this.write(headerText(FOREIGN_TYPE, id, 0));
    this.finish(inputEnded);
  }

  #writeText(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    this.#socket.write(text, 'latin1');
  }

  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Look at the deadlines for sending. `now` in milliseconds. */
  sweep(now: number): void {
    const sending = this.#socket.writableLength > 0;
    if (sending !== this.#watched) {
      this.#watched = sending;
      this.#socket.setTimeout(sending ? Math.min(this.#settings.writeTimeout, MAX_TIMER) : 0);
    }
    if (!this.#ending) return;
    if (sending || this.#endingSince === JUST_NOW) this.#endingSince = now;
    else if (now - this.#endingSince >= this.#settings.lingerTimeout) this.#socket.destroy();
  }

  #onTimeout(): void {
    if (this.#socket.writableLength === 0) return;
    this.#settings.log.warn({}, 'connection closed: the web server took nothing for writeTimeout');
    this.#socket.destroy();
  }
}
