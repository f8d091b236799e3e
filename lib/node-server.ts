// createServer(): http.createServer's place in a program, with FastCGI where HTTP was.

import { EventEmitter } from 'node:events';
import type { AddressInfo, ListenOptions } from 'node:net';
import { inspect } from 'node:util';
import { alreadyListens, fromServer, notRunning, type NodeListener } from './adapters/index.ts';
import { Application } from './app/index.ts';
import { serve, type ServeOptions, type Serving } from './serve.ts';

export type NodeServerOptions = Omit<ServeOptions, 'listen' | 'workers' | 'first'>;

const MAX_PORT = 65_535;
const CLOSING_TIMEOUT = 0x7fffffff; // ms: as http.Server's, close() waits for what runs

/**
 * A FastCGI server with the face of an http.Server. Events: `request`, `listening`, `close`, `error`. What a web server does
 * by itself has no event here: `connection`, `clientError`, `checkContinue`, `upgrade`.
 */
export class NodeServer extends EventEmitter {
  /** The application that answers: add layers to it, or hear its signals. */
  readonly application: Application;
  // As of an http.Server; deadlines are the options of `serve`.
  timeout = 0;
  requestTimeout = 0;
  headersTimeout = 0;
  keepAliveTimeout = 0;
  maxHeadersCount: number | null = null;
  maxRequestsPerSocket = 0;
  readonly #options: NodeServerOptions;
  #serving: Serving | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #next: { place: string | undefined } | undefined; // told to listen again while it is closed

  constructor(options: NodeServerOptions = {}, listener?: NodeListener) {
    super();
    this.#options = options;
    if (listener !== undefined) this.on('request', listener);
    this.application = new Application().fallback(fromServer(this));
  }

  get listening(): boolean {
    return this.#serving !== undefined && this.#closing === undefined;
  }

  /**
   * Listen by FastCGI: `listen(9000)`, `listen(9000, '127.0.0.1')`, `listen('/run/app.sock')`, `listen({ port, host })`,
   * `listen({ path })`, or in Postfork's words, `listen('unix:/run/app.sock?mode=660')`, `listen('fd:0')`; with nothing, on the socket that
   * this process was started with. The last argument may be a listener for `listening`; the AbortSignal of `{ signal }` closes it.
   * Where it cannot listen it emits `error`. Throws ERR_SERVER_ALREADY_LISTEN until `close` is called, ERR_SOCKET_BAD_PORT for what is
   * no port.
   */
  listen(...args: unknown[]): this {
    const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (this.#next !== undefined || (this.#starting !== undefined && this.#closing === undefined)) {
      throw alreadyListens();
    }
    const place = placeOf(args.filter((arg) => typeof arg !== 'function'));
    if (callback !== undefined) this.once('listening', callback);
    if (this.#closing === undefined) this.#starting = this.#start(place);
    else this.#next = { place };
    const { signal } = Object(args[0]) as ListenOptions;
    if (signal !== undefined) closeBy(signal, this);
    return this;
  }

  /** As net.Server has it: an AddressInfo, or the path of a unix socket; null while it does not listen. */
  address(): AddressInfo | string | null {
    if (!this.listening || this.#serving === undefined) return null;
    const path = /^unix:([^?]+)/.exec(this.#serving.at)?.[1]; // its socket was bound under another name, and renamed
    return path ?? this.#serving.server.address();
  }

  /**
   * Stop accepting, and serve what runs to its end. `callback` is called at the end of it, with ERR_SERVER_NOT_RUNNING where it did
   * not listen.
   */
  close(callback?: (error?: Error) => void): this {
    const runs = this.#next !== undefined || (this.#starting !== undefined && this.#closing === undefined);
    this.#next = undefined;
    if (callback !== undefined) {
      this.once('close', () => (runs ? callback() : callback(notRunning())));
    }
    if (this.#starting !== undefined) this.#closing ??= this.#close();
    else process.nextTick(() => this.emit('close'));
    return this;
  }

  /** Give up what runs, now. A server that is not being closed is closed by it. */
  closeAllConnections(): void {
    if (this.#serving === undefined) return;
    this.#closing ??= this.#close();
    void this.#serving.close({ timeout: 0 });
  }

  /** Kept connections of web servers: they are closed by `close`. */
  closeIdleConnections(): void {}

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#serving?.server.connections ?? 0);
    return this;
  }

  /** Without a listener for `timeout`, the request's connection is closed. ms; 0: never. */
  setTimeout(ms?: number | (() => void), listener?: () => void): this {
    this.timeout = typeof ms === 'number' ? ms : 0;
    const heard = typeof ms === 'function' ? ms : listener;
    if (heard !== undefined) this.on('timeout', heard);
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#next = undefined;
    if (this.#starting !== undefined) await (this.#closing ??= this.#close());
  }

  async #start(listen: string | undefined): Promise<void> {
    try {
      this.#serving = await serve(this.application, { ...this.#options, ...(listen !== undefined && { listen }) });
    } catch (error) {
      this.#starting = undefined;
      const { code, errno } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code !== undefined) Object.assign(error as Error, { code, errno, syscall: 'listen' }); // programs ask for both
      process.nextTick(() => this.emit('error', error)); // uncaught where nobody listens to it
      return;
    }
    this.emit('listening');
  }

  async #close(): Promise<void> {
    await this.#starting;
    await this.#serving?.close({ timeout: CLOSING_TIMEOUT });
    this.#serving = undefined;
    this.#starting = undefined;
    this.#closing = undefined;
    this.emit('close');
    if (this.#next === undefined) return;
    this.#starting = this.#start(this.#next.place);
    this.#next = undefined;
  }
}

/**
 * `createServer(listener)`, `createServer(options, listener)`: as http.createServer. Throws TypeError ERR_INVALID_ARG_TYPE, as that
 * does, also for applications that are no listeners: what to do with them is said.
 */
export function createServer(options?: NodeServerOptions | NodeListener, listener?: NodeListener): NodeServer {
  for (const given of [options, listener]) checkArgument(given, given === listener);
  return typeof options === 'function' ? new NodeServer({}, options) : new NodeServer(options, listener);
}

/** Throws for what is neither a listener nor options. */
function checkArgument(given: unknown, mustBeListener: boolean): void {
  const advice = adviceFor(given);
  if (advice === undefined && (given === undefined || typeof given === 'function')) return;
  if (advice === undefined && !mustBeListener && typeof given === 'object' && given !== null) return;
  const what = advice ?? `${inspect(given, { depth: 0 })} is neither`;
  const message = `createServer takes a listener (request, response), with options before it: ${what}`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** What to do with an application that does not listen to requests. Asked by `in`: a router may have a function under every name. */
function adviceFor(given: unknown): string | undefined {
  if ((typeof given !== 'object' && typeof given !== 'function') || given === null) return undefined;
  const has = (name: string): boolean =>
    name in given && typeof (given as Record<string, unknown>)[name] === 'function';
  if (has('handlers'))
    return "serve(application, { listen: 'unix:/run/app.sock' }) of 'postfork' serves an Application";
  if (!has('fetch') && !has('routing') && !has('callback')) return undefined;
  return (
    "this is an application of another kind: `postfork serve` takes a module that exports it, and `adapt` of 'postfork/node' " +
    'makes a handler of it: serve(new Application().fallback(adapt(app)))'
  );
}

/** The forms of net.Server.listen, in the words of `serve`. */
function placeOf([first, second]: readonly unknown[]): string | undefined {
  if (first === undefined || first === null) return undefined;
  if (typeof first === 'object') {
    const { path, port, host } = first as ListenOptions;
    return path === undefined ? tcp(port ?? 0, host) : `unix:${path}`;
  }
  const text = String(first as string | number);
  if (typeof first === 'number' || /^\d+$/.test(text)) return tcp(text, second);
  return /^(?:unix:|tcp:|fd:|systemd$)/.test(text) ? text : `unix:${text}`;
}

function tcp(port: number | string, host: unknown): string {
  if (!/^\d+$/.test(String(port)) || Number(port) > MAX_PORT) {
    throw Object.assign(new RangeError(`a port is a number from 0 to ${MAX_PORT}, and not ${port}`), {
      code: 'ERR_SOCKET_BAD_PORT',
    });
  }
  const name = typeof host === 'string' && host !== '' ? host : '127.0.0.1'; // FastCGI is for the web server beside it
  return `tcp:${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** Once: a listen to come has a signal of its own. */
function closeBy(signal: AbortSignal, server: NodeServer): void {
  const close = (): void => void server.close();
  if (signal.aborted) return close();
  signal.addEventListener('abort', close);
  server.once('close', () => signal.removeEventListener('abort', close));
}
