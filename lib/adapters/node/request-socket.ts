// RequestSocket: what a Node listener finds as req.socket. There is none: the bytes of an answer go to whoever has made it.

import { EventEmitter } from 'node:events';
import { getDefaultHighWaterMark } from 'node:stream';
import type { HttpRequest } from '../../app/index.ts';
import { writeAfterDestroy, writeAfterEnd } from './node-errors.ts';
import { type Done, Writes } from './writes.ts';

/** Whose socket it is. */
export interface SocketOwner {
  /** The listener wants more of the body. */
  wanted(): void;
  /** The answer's head, which comes before all else. `encoding`: that Node would have written it in. */
  head(text: string, encoding: BufferEncoding): void;
  /** The next bytes. False: no more of them until `room` is called. */
  take(chunk: string | Uint8Array, encoding: BufferEncoding): boolean;
  /** All that was held back has been taken. */
  drained(): void;
  /** It has been ended: nothing more is written. */
  ended(): void;
  /** It is closed: everything is over, or has been given up. Whether `gone` is to be called before 'close' is emitted. */
  closed(error: Error | null): boolean;
  gone(): void;
  timedOut(): void;
}

/**
 * What net.Socket and tls.TLSSocket tell of a connection, as the web server says, and the writable half of a stream: Node's http
 * needs no more of it. One is made for each request, and Node's streams take several times as long to make.
 */
export class RequestSocket extends EventEmitter {
  bytesRead = 0;
  bytesWritten = 0;
  timeout: number | undefined = undefined;
  /** The one whose listener has it, where it is one's. */
  server: EventEmitter | undefined = undefined;
  destroyed = false;
  closed = false;
  errored: Error | null = null;
  writableEnded = false;
  writableFinished = false;
  readonly #request: HttpRequest;
  readonly #owner: SocketOwner;
  readonly #writes: Writes;
  #timer: NodeJS.Timeout | undefined;

  constructor(request: HttpRequest, owner: SocketOwner) {
    super();
    this.#request = request;
    this.#owner = owner;
    this.#writes = new Writes(owner, () => this.#onDrained());
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

  get connecting(): boolean {
    return false;
  }

  get pending(): boolean {
    return false;
  }

  get readyState(): string {
    return this.destroyed ? 'closed' : 'open';
  }

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed && !this.writableEnded;
  }

  get readableHighWaterMark(): number {
    return HIGH_WATER_MARK;
  }

  get writableHighWaterMark(): number {
    return HIGH_WATER_MARK;
  }

  /** Of what is held back: characters of text, bytes of the rest. */
  get writableLength(): number {
    return this.#writes.length;
  }

  get writableNeedDrain(): boolean {
    return this.#writes.needDrain;
  }

  get writableCorked(): number {
    return this.#writes.corked;
  }

  /** Node's http sets `corked` of it. */
  get _writableState(): Writes {
    return this.#writes;
  }

  address(): { address?: string | undefined; port?: number | undefined; family?: string | undefined } {
    return { address: this.localAddress, port: this.localPort, family: this.localFamily };
  }

  /** Node's http calls it when the request's body is asked for. There is nothing else to read here. */
  resume(): this {
    this.#owner.wanted();
    return this;
  }

  pause(): this {
    return this;
  }

  cork(): void {
    this.#writes.corked += 1;
  }

  uncork(): void {
    this.#writes.uncork();
    this.#finish();
  }

  /** For http.ServerResponse. */
  head(text: string, encoding: BufferEncoding): void {
    this.bytesWritten += text.length;
    this.#owner.head(text, encoding);
  }

  /** As of a stream.Writable. After its end the socket is destroyed with ERR_STREAM_WRITE_AFTER_END, as a net.Socket is. */
  write(chunk: string | Uint8Array, encoding?: BufferEncoding | Done | null, done?: Done): boolean {
    if (typeof encoding === 'function') return this.write(chunk, undefined, encoding);
    if (this.destroyed || this.writableEnded) return this.#refuse(done);
    this.bytesWritten += chunk.length;
    this.touch();
    return this.#writes.write(chunk, encoding ?? 'utf8', done, HIGH_WATER_MARK) && !this.destroyed;
  }

  end(chunk?: string | Uint8Array | (() => void), encoding?: BufferEncoding | (() => void), done?: () => void): this {
    const heard = [chunk, encoding, done].find((argument) => typeof argument === 'function');
    if (heard !== undefined) this.once('finish', heard);
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
      this.write(chunk, typeof encoding === 'string' ? encoding : undefined);
    }
    this.writableEnded = true;
    this.#writes.corked = 1;
    this.uncork();
    return this;
  }

  /** The owner takes more again. */
  room(): void {
    this.#writes.room();
    this.#finish();
  }

  /** `close` comes with a later turn of the event loop, as of a net.Socket; an error is emitted where somebody hears it. */
  destroy(error?: Error | null): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.errored = error ?? null;
    clearTimeout(this.#timer);
    const waits = this.#owner.closed(this.errored);
    this.#writes.giveUp();
    if (error && this.listenerCount('error') > 0) process.nextTick(() => this.emit('error', error));
    if (waits || this.listenerCount('close') > 0) setImmediate(() => this.#onClosed(waits));
    return this;
  }

  /** Close it once everything has been written. */
  destroySoon(): void {
    if (this.writable) this.end();
    else this.destroy();
  }

  /** `timeout` is emitted when neither the body nor the answer has moved for so long (ms); 0: never. */
  setTimeout(ms: number, listener?: () => void): this {
    if (listener !== undefined) this.once('timeout', listener);
    this.timeout = ms;
    clearTimeout(this.#timer);
    this.#timer = ms > 0 && ms < Infinity ? setTimeout(() => this.#onTimeout(), ms).unref() : undefined;
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

  #refuse(done: Done | undefined): boolean {
    const error = this.destroyed ? writeAfterDestroy() : writeAfterEnd();
    if (done) process.nextTick(done, error);
    this.destroy(error);
    return false;
  }

  #onDrained(): void {
    if (this.destroyed || this.writableEnded) return;
    this.#owner.drained();
    this.emit('drain');
  }

  /** The other side would close, too. */
  #finish(): void {
    if (!this.writableEnded || this.writableFinished || this.destroyed || this.#writes.length > 0) return;
    this.writableFinished = true;
    this.#owner.ended();
    process.nextTick(() => this.emit('finish'));
    setImmediate(() => this.destroy());
  }

  #onClosed(waits: boolean): void {
    this.closed = true;
    if (waits) this.#owner.gone();
    this.emit('close', this.errored !== null);
  }

  #onTimeout(): void {
    this.#owner.timedOut();
    this.emit('timeout');
  }

  #port(name: string): number | undefined {
    const port = Number(this.#request.environ.get(name));
    return port > 0 ? port : undefined;
  }
}

const HIGH_WATER_MARK = getDefaultHighWaterMark(false); // as of a net.Socket

function family(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  return address.includes(':') ? 'IPv6' : 'IPv4';
}
