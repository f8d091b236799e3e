// Server: accepts web servers' connections, holds the bounds that concern all of them, and closes without losing requests.

import {
  createServer,
  Socket,
  type ListenOptions,
  type Server as NetServer,
  type SocketConstructorOpts,
} from 'node:net';
import { AUTHORIZER, FILTER, RESPONDER } from '../protocol/index.ts';
import { Connection } from './connection.ts';
import type { Handler } from './exchange.ts';
import type { Host } from './host.ts';
import { settingsOf, type ServerOptions, type Settings } from './options.ts';
import { PeerList } from './peer-list.ts';

/** How a server closes. Milliseconds. */
export interface CloseOptions {
  /** For requests that run; then they are aborted and the connections closed. Default 30,000. */
  timeout?: number;
  /** A kept connection that has served a request is closed when it has had none for so long. Default 1000. */
  idle?: number;
  /**
   * Takes a copy of the descriptor of a connection that is between two requests, for another process to `adopt`; then the
   * web server notices nothing. False where nobody takes it: it is served here as without this.
   */
  handOver?: (descriptor: number) => boolean;
}

const CLOSING_IDLE = 1000;
const CLOSING_TIMEOUT = 30_000;
const IDLE_SHARE = 30; // a connection that has been idle for this part of the time left is closed
const LAST_SHARE = 10; // the part of the time in which an answer closes its connection
const MAX_TIMER = 2 ** 31 - 1; // Node's timers take longer times for the shortest
const SOCKET = { allowHalfOpen: true, readable: true, writable: true };
const KEEPALIVE = { keepAlive: true, keepAliveInitialDelay: 60_000 }; // a TCP peer that is gone without a word is noticed

/**
 * A FastCGI application server. It listens on nothing by itself: see `listen`.
 *
 * A role without a handler is refused with UNKNOWN_ROLE. Throws RangeError or TypeError for options that are not right.
 */
export class Server implements Host {
  readonly settings: Settings;
  readonly #handlers: (Handler | undefined)[];
  readonly #peers: PeerList | undefined;
  readonly #connections: Set<Connection> = new Set();
  readonly #net: NetServer;
  #requests = 0;
  #served = 0;
  #running = 0;
  #sweeping: NodeJS.Timeout | undefined;
  #closingIdle = Infinity;
  #closingTimeout = Infinity;
  #closeBy = Infinity;
  #patientUntil = Infinity; // with those that nobody could take at once
  #handOver: CloseOptions['handOver'];
  #closing: Promise<void> | undefined;
  #onQuiet: (() => void) | undefined;
  #deadline: NodeJS.Timeout | undefined; // of the closing

  constructor(options: ServerOptions) {
    this.settings = settingsOf(options);
    this.#peers = options.allow === undefined ? undefined : new PeerList(options.allow);
    this.#handlers = [];
    this.#handlers[RESPONDER] = options.responder;
    this.#handlers[AUTHORIZER] = options.authorizer;
    this.#handlers[FILTER] = options.filter;
    this.#net = createServer(
      // A web server may end its side first and still wait for the answer. noDelay: an answer is one write.
      { ...SOCKET, noDelay: true, ...KEEPALIVE, highWaterMark: this.settings.outputBuffer },
      (socket) => this.#accept(socket),
    );
    this.#net.maxConnections = this.settings.maxConnections;
    this.#net.on('drop', () => this.settings.log.warn({}, 'connection refused: maxConnections are open'));
  }

  /** Active requests. */
  get requests(): number {
    return this.#requests;
  }

  /** Requests that were handed to a handler since the server was made; refused ones are not among them. */
  get served(): number {
    return this.#served;
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Whether `close` has been called. */
  get closing(): boolean {
    return this.#closing !== undefined;
  }

  /** Listen as `net.Server.listen` does. Rejects with the operating system's error. */
  async bind(options: ListenOptions & { fd?: number }): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#net.once('error', reject);
      this.#net.listen(options, () => {
        this.#net.off('error', reject);
        resolve();
      });
    });
    this.#net.on('error', (error) => this.settings.log.error({ err: error }, 'the listening socket failed'));
    this.#sweepEvery(sweepInterval(this.settings));
  }

  /** Where it listens: a TCP address, or a path; null where the socket was given by its descriptor. */
  address(): ReturnType<NetServer['address']> {
    return this.#net.address();
  }

  /**
   * Stop accepting and serve what runs to its end. Kept connections go on being served, because a web server may be
   * sending on one at this moment: one that has served a request is closed once it has been idle for `idle`. On a busy one
   * that does not come, so less and less of it is asked for as time goes by, and in the last tenth an answer closes its
   * connection. What is left at `timeout` is aborted; Infinity: nothing is. A second call may shorten the time, no more; it
   * returns the first one's promise.
   */
  close(options: CloseOptions = {}): Promise<void> {
    if (this.#closing !== undefined && options.timeout !== undefined) this.#hurry(options.timeout);
    this.#closing ??= this.#close(options.timeout ?? CLOSING_TIMEOUT, options.idle ?? CLOSING_IDLE, options.handOver);
    return this.#closing;
  }

  /** From now on an answer closes its connection, unless that is handed over. */
  closeWithAnswers(): void {
    for (const connection of this.#connections) connection.closeWithAnswer();
  }

  /** Serve a connection that another process has handed over, by its descriptor. Throws for what is no
   * stream socket, and where maxConnections are open: the descriptor is the caller's then. */
  adopt(descriptor: number): void {
    const { maxConnections } = this.settings;
    if (this.#connections.size >= maxConnections) throw new RangeError(`${maxConnections} connections are open`);
    const { outputBuffer } = this.settings;
    const socket = new Socket({
      fd: descriptor,
      ...SOCKET,
      writableHighWaterMark: outputBuffer,
    } as SocketConstructorOpts);
    socket.setNoDelay(true);
    socket.setKeepAlive(KEEPALIVE.keepAlive, KEEPALIVE.keepAliveInitialDelay);
    this.#accept(socket, true);
  }

  handOver(descriptor: number): boolean {
    return this.#handOver?.(descriptor) ?? false;
  }

  handlerOf(role: number): Handler | undefined {
    return this.#handlers[role];
  }

  admit(): boolean {
    if (this.#requests >= this.settings.maxActiveRequests) return false;
    this.#requests += 1;
    return true;
  }

  dismiss(): void {
    this.#requests -= 1;
  }

  handlerStarted(): void {
    this.#served += 1;
    this.#running += 1;
    this.settings.onRequest();
  }

  handlerEnded(): void {
    this.#running -= 1;
    this.#checkQuiet();
  }

  #accept(socket: Socket, adopted = false): void {
    if (this.#peers !== undefined && !this.#peers.allows(socket.remoteAddress)) {
      this.settings.log.warn({ peer: socket.remoteAddress ?? 'unix' }, 'connection refused: the peer is not allowed');
      socket.on('error', () => {}); // it may be gone already
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, this, adopted, () => {
      this.#connections.delete(connection);
      this.#checkQuiet();
    });
    this.#connections.add(connection);
  }

  async #close(timeout: number, idle: number, handOver: CloseOptions['handOver']): Promise<void> {
    if (this.#net.listening) this.#net.close();
    this.#handOver = handOver;
    this.#closingIdle = idle;
    this.#closingTimeout = timeout;
    this.#patientUntil = performance.now() + idle;
    this.#closeBy = performance.now() + timeout;
    this.#sweepEvery(Math.min(sweepInterval(this.settings), Math.max(10, Math.min(idle, timeout / LAST_SHARE) / 4)));
    const quiet = new Promise<void>((resolve) => (this.#onQuiet = resolve));
    if (handOver !== undefined) for (const connection of this.#connections) connection.handOver();
    this.#stopAfter(timeout);
    this.#checkQuiet();
    await quiet;
    this.#onQuiet = undefined;
    clearTimeout(this.#deadline);
    clearInterval(this.#sweeping);
  }

  #hurry(timeout: number): void {
    const closeBy = performance.now() + timeout;
    if (closeBy >= this.#closeBy || this.#onQuiet === undefined) return;
    this.#closeBy = closeBy;
    this.#closingTimeout = timeout;
    this.#stopAfter(timeout);
  }

  #stopAfter(timeout: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#stop(), Math.min(timeout, MAX_TIMER));
  }

  /** The time is over: abort, close, and wait for handlers no longer than it takes to tell them. */
  #stop(): void {
    for (const connection of this.#connections) connection.stop();
    this.#deadline = setTimeout(() => this.#onQuiet?.(), this.settings.abortTimeout);
  }

  #checkQuiet(): void {
    if (this.#connections.size === 0 && this.#running === 0) this.#onQuiet?.();
  }

  #sweepEvery(interval: number): void {
    clearInterval(this.#sweeping);
    this.#sweeping = setInterval(() => {
      const now = performance.now();
      const left = this.#closeBy - now;
      const idle = Math.min(this.settings.idleTimeout, this.#closingIdle, left / IDLE_SHARE);
      const last = left < this.#closingTimeout / LAST_SHARE;
      for (const connection of this.#connections) {
        const waits = this.#handOver !== undefined && connection.handOver();
        if (last) connection.closeWithAnswer();
        connection.sweep(now, waits && now < this.#patientUntil ? Infinity : idle);
      }
    }, interval).unref();
  }
}

/** Often enough for the shortest deadline, in milliseconds. */
function sweepInterval(settings: Settings): number {
  const { headersTimeout, bodyTimeout, requestTimeout, writeTimeout } = settings;
  const { idleTimeout, stallTimeout, abortTimeout, lingerTimeout } = settings;
  const ofRequests = Math.min(headersTimeout, bodyTimeout, requestTimeout, stallTimeout, abortTimeout);
  const ofConnections = Math.min(writeTimeout, idleTimeout, lingerTimeout);
  return Math.min(1000, Math.max(10, Math.min(ofRequests, ofConnections) / 4));
}
