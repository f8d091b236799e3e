// Channel: one end of the stream on which arbiter and workers talk, a line a message.

import type { Duplex } from 'node:stream';

const MAX_LINE = 64 * 1024; // characters; start orders and error messages are far below

export interface ChannelEvents {
  onLine(line: string): void;
  /** The other side is gone, or has sent what is no line. Called once. */
  onEnd(): void;
}

export class Channel {
  readonly #stream: Duplex;
  readonly #events: ChannelEvents;
  #rest = '';
  #ended = false;

  constructor(stream: Duplex, events: ChannelEvents) {
    this.#stream = stream;
    this.#events = events;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#onText(text));
    stream.on('error', () => this.#end()); // a peer that is gone: EPIPE, ECONNRESET
    stream.on('end', () => this.#end());
    stream.on('close', () => this.#end());
  }

  /** A message to a side that is gone is dropped. */
  send(message: object): void {
    if (!this.#ended && this.#stream.writable) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  /** Close this end, without a word: `onEnd` is not called any more. */
  close(): void {
    this.#ended = true;
    this.#stream.destroy();
  }

  #onText(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() as string;
    for (const line of lines) {
      if (this.#ended) return;
      this.#events.onLine(line);
    }
    if (this.#rest.length > MAX_LINE) this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.close();
    this.#events.onEnd();
  }
}
