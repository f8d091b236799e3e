// takeOverListen(): the first http.Server of this process that is told to listen on a port serves us instead.

import { Server, type ServerResponse } from 'node:http';
import { isIP, type ListenOptions } from 'node:net';
import type { AppHandler } from '../../app/index.ts';
import { worker_stopping } from '../../signals/index.ts';
import { fromServer } from './from-server.ts';
import { alreadyListens, notRunning } from './node-errors.ts';

export interface TakenOver {
  /** Resolves when a server listens: what answers its requests. */
  readonly handler: Promise<AppHandler>;
  /**
   * This process is told to stop. Programs that hear of it themselves close their server, and many of them exit as soon as it is
   * closed: it is not before worker_stopping, when all answers are with the web server.
   */
  readonly stopping: () => void;
  /** `listen` is as it was; a server that was taken stays so. */
  restore(): void;
}

/**
 * Call it before the program is loaded that calls `http.createServer(...).listen(...)`. The server believes that it listens where
 * it was told to: 'listening' is emitted, `address()` and `listening` say so, `close()` ends that when no request runs any more.
 * The port that 0 is said to have come to is 49152. So do further servers on the same port: Fastify has one for each address of
 * `localhost`. Those on another port, on 0 again, or on a path of their own, really listen.
 */
export function takeOverListen(): TakenOver {
  const own = Object.getOwnPropertyDescriptor(Server.prototype, 'listen');
  // eslint-disable-next-line typescript/unbound-method -- they are called on the server
  const { listen, close } = Server.prototype;
  let resolve: (handler: AppHandler) => void;
  const handler = new Promise<AppHandler>((settle) => (resolve = settle));
  const servers = new Map<Server, Pretence>();
  let port: number | undefined; // the first one's
  let isStopping = false;
  Server.prototype.listen = function listenInstead(this: Server, ...args: unknown[]): Server {
    const place = placeOf(args);
    let pretence = servers.get(this);
    if (place === undefined || (pretence === undefined && place.port !== (port ?? place.port))) {
      return Reflect.apply(listen, this, args) as Server;
    }
    if (pretence?.listening === true) throw alreadyListens();
    const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (callback !== undefined) this.once('listening', callback);
    if (pretence === undefined) servers.set(this, (pretence = new Pretence(this, () => !isStopping)));
    port ??= place.port || SOME_PORT;
    pretence.listen({ ...place, port });
    resolve(pretence.handler);
    return this;
  } as typeof listen;
  // Not on the server itself: a program may have put a `close` of its own there, around this one, before it listens.
  Server.prototype.close = function closeInstead(this: Server, callback?: (error?: Error) => void): Server {
    const pretence = servers.get(this);
    return pretence === undefined ? Reflect.apply(close, this, [callback]) : pretence.close(callback);
  };
  return {
    handler,
    stopping: () => {
      if (isStopping) return;
      isStopping = true;
      const stopped = (): void => {
        isStopping = false;
        for (const pretence of servers.values()) pretence.checkClosed();
      };
      worker_stopping.connect(stopped, { once: true });
    },
    restore: () => {
      if (own === undefined) delete (Server.prototype as { listen?: unknown }).listen;
      else Object.defineProperty(Server.prototype, 'listen', own);
    },
  };
}

interface Place {
  readonly port: number;
  readonly host: string | undefined;
  readonly signal: AbortSignal | undefined;
}

const MAX_PORT = 65_535;
const SOME_PORT = 49_152; // what 0 is said to have come to: the first of those that nobody is assigned (RFC 6335, 6)

/** The forms of net.Server.listen that mean a port. What is none is Node's to refuse. */
function placeOf([first, second]: readonly unknown[]): Place | undefined {
  if (typeof first === 'object' && first !== null) {
    const { port, host, path, signal } = first as ListenOptions & { fd?: number };
    if (path !== undefined || 'fd' in first || '_handle' in first || !isPort(Number(port ?? 0))) return undefined;
    return { port: Number(port ?? 0), host, signal };
  }
  const port = first === undefined || first === null || typeof first === 'function' ? 0 : Number(first);
  if (!isPort(port)) return undefined; // a path
  return { port, host: typeof second === 'string' ? second : undefined, signal: undefined };
}

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= MAX_PORT;

/** What a server that does not listen says of itself. */
class Pretence {
  readonly handler: AppHandler;
  readonly #server: Server;
  readonly #mayClose: () => boolean;
  #place: Place | undefined; // while it listens
  #closing = false; // it has been told to, and has not said that it is
  #running = 0;

  /** `mayClose`: whether the server is closed when it is told to, and no request runs any more. */
  constructor(server: Server, mayClose: () => boolean) {
    this.#server = server;
    this.#mayClose = mayClose;
    this.handler = fromServer(server, (response) => this.#onRequest(response));
    const property = { configurable: true, enumerable: false };
    Object.defineProperties(server, {
      listening: { get: () => this.listening, ...property },
      address: { value: () => this.#address(), writable: true, ...property },
    });
  }

  get listening(): boolean {
    return this.#place !== undefined;
  }

  listen(place: Place): void {
    this.#place = place;
    process.nextTick(() => this.#server.emit('listening'));
    if (place.signal !== undefined) this.#closeBy(place.signal);
  }

  /** Once: a listen to come has a signal of its own. */
  #closeBy(signal: AbortSignal): void {
    const close = (): void => void this.#server.close();
    if (signal.aborted) return process.nextTick(close);
    signal.addEventListener('abort', close);
    this.#server.once('close', () => signal.removeEventListener('abort', close));
  }

  /** Tell that it is closed, once it is. */
  checkClosed(): void {
    if (!this.#closing || this.#running > 0 || !this.#mayClose()) return;
    this.#closing = false;
    this.#server.emit('close');
  }

  #onRequest(response: ServerResponse): void {
    this.#running += 1;
    response.once('close', () => {
      this.#running -= 1;
      this.checkClosed();
    });
  }

  #address(): { address: string; port: number; family: string } | null {
    if (this.#place === undefined) return null;
    const { host = '::', port } = this.#place;
    const address = isIP(host) === 0 ? '127.0.0.1' : host;
    return { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
  }

  close(callback?: (error?: Error) => void): Server {
    const running = this.#place !== undefined;
    this.#place = undefined;
    if (callback !== undefined) {
      this.#server.once('close', () => {
        if (running) callback();
        else callback(notRunning());
      });
    }
    this.#closing = true;
    process.nextTick(() => this.checkClosed());
    return this.#server;
  }
}
