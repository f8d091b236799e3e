// InputFlow: stops reading from the web server, or goes on, by what the handlers of a connection have taken.

import type { Socket } from 'node:net';
import { JUST_NOW } from './channel.ts';
import type { Input } from './input.ts';
import type { Settings } from './options.ts';

/**
 * FastCGI has no flow control for one request, only for a connection. A handler that is slow to take its input stops the
 * reading where it is alone. Where others share the connection, what it does not take goes to a temporary file, so that one
 * stalled request stalls nobody and memory stays bounded.
 */
export class InputFlow {
  readonly #socket: Socket;
  readonly #settings: Settings;
  #shared = false;
  #pausedSince: number | undefined;

  constructor(socket: Socket, settings: Settings) {
    this.#socket = socket;
    this.#settings = settings;
  }

  get paused(): boolean {
    return this.#pausedSince !== undefined;
  }

  /** The web server is seen to multiplex, or to ask whether it may: from now on nobody may stop the reading. */
  share(): void {
    this.#shared = this.#settings.multiplex;
  }

  isFull(input: Input): boolean {
    return input.isFull(this.#settings.inputWindow, this.#settings.maxSpoolBytes);
  }

  /** `inputs`: those of the connection's requests. `held`: another reason to read no more. */
  update(inputs: Iterable<Input>, held: boolean): void {
    let full = held;
    for (const input of inputs) {
      if (!this.isFull(input)) continue;
      if (this.#shared) input.spoolBeyond(this.#settings.inputWindow);
      full ||= this.isFull(input);
    }
    if (full && this.#pausedSince === undefined) {
      this.#pausedSince = JUST_NOW;
      this.#socket.pause();
    } else if (!full && this.#pausedSince !== undefined) {
      this.#pausedSince = undefined;
      this.#socket.resume();
    }
  }

  /** Whether reading has stood still for so long that others, if there are any, must not wait longer. */
  isStalled(now: number): boolean {
    if (this.#pausedSince === undefined) return false;
    if (this.#pausedSince === JUST_NOW) this.#pausedSince = now;
    return now - this.#pausedSince >= this.#settings.stallTimeout;
  }
}
