// RequestSocket: what a Node listener finds as req.socket. There is none: the bytes of an answer go to whoever has made it.

import type { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import type { HttpRequest } from '../../app/index.ts';

/** Takes what is written; `done` when there is room for more, or with what has gone wrong. */
export type Sink = (chunk: string | Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void) => void;

export interface RequestSocketOptions {
  readonly request: HttpRequest;
  readonly sink: Sink;
  /** The listener wants more of the body. */
  readonly onWanted: () => void;
  /** It has been ended: nothing more is written. */
  readonly onEnd: () => void;
  /** It is closed: everything is over, or has been given up. */
  readonly onClose: (error: Error | null) => void;
}

/** A stream with what net.Socket and tls.TLSSocket tell of a connection, as the web server says. */
export class RequestSocket extends Duplex {
  readonly connecting: boolean = false;
  readonly pending: boolean = false;
  bytesRead = 0;
  bytesWritten = 0;
  timeout: number | undefined;
  /** The one whose listener has it, where it is one's. */
  server: EventEmitter | undefined = undefined;
  readonly #request: HttpRequest;
  readonly #sink: Sink;
  readonly #onWanted: () => void;
  readonly #onEnd: () => void;
  readonly #onClose: (error: Error | null) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor({ request, sink, onWanted, onEnd, onClose }: RequestSocketOptions) {
    super({ decodeStrings: false, allowHalfOpen: true, emitClose: false });
    this.#request = request;
    this.#sink = sink;
    this.#onWanted = onWanted;
    this.#onEnd = onEnd;
    this.#onClose = onClose;
  }

  /** As of a tls.TLSSocket: whether the client has come by https. */
  get encrypted(): boolean {
    return this.#request.scheme === 'https';
  }

  get remoteAddress(): string | undefined {
    return this.#request.remoteAddress || undefined;
  }

  get remotePort(): number | undefined {
    return this.#port('REMOTE_PORT');
  }

  get remoteFamily(): string | undefined {
    return family(this.remoteAddress);
  }

  get localAddress(): string | undefined {
    return this.#request.environ.get('SERVER_ADDR') || undefined;
  }

  get localPort(): number | undefined {
    return this.#port('SERVER_PORT');
  }

  get localFamily(): string | undefined {
    return family(this.localAddress);
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  address(): { address?: string | undefined; port?: number | undefined; family?: string | undefined } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily };
  }

  /** Node's http calls it when the request's body is asked for. There is nothing else to read here. */
  override resume(): this {
    this.#onWanted();
    return this;
  }

  override pause(): this {
    return this;
  }

  /** `timeout` is emitted when neither the body nor the answer has moved for so long (ms); 0: never. */
  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once('timeout', listener);
    this.timeout = ms;
    clearTimeout(this.#timer);
    this.#timer = ms > 0 && ms < Infinity ? setTimeout(() => this.emit('timeout'), ms).unref() : undefined;
    return this;
  }

  /** The body, or the answer, has moved. */
  touch(): void {
    this.#timer?.refresh();
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  /** Close it once everything has been written. */
  destroySoon(): void {
    if (this.writable) this.end();
    else this.destroy();
  }

  override _read(): void {}

  override _write(chunk: string | Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.bytesWritten += chunk.length;
    this.touch();
    this.#sink(chunk, encoding, done);
  }

  /** The other side would close, too. */
  override _final(done: () => void): void {
    this.#onEnd();
    done();
    setImmediate(() => this.destroy());
  }

  /** As of a net.Socket, `close` comes with a later turn of the event loop, and whoever is told by streams hears it before. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    this.#onClose(error);
    done(error);
    if (this.listenerCount('close') > 0) setImmediate(() => this.emit('close', error !== null));
  }

  #port(name: string): number | undefined {
    const port = Number(this.#request.environ.get(name));
    return port > 0 ? port : undefined;
  }
}

function family(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
