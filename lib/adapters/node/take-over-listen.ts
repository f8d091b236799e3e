// takeOverListen(): the first http.Server of this process that is told to listen on a port serves us instead.

import { Server, type ServerResponse } from 'node:http';
import { isIP, type ListenOptions } from 'node:net';
import type { AppHandler } from '../../app/index.ts';
import { fromServer } from './from-server.ts';

export interface TakenOver {
  /** Resolves when a server listens: what answers its requests. */
  readonly handler: Promise<AppHandler>;
  /** http.Server is as it was; a server that was taken stays so. */
  restore(): void;
}

/**
 * Call it before the program is loaded that calls `http.createServer(...).listen(...)`. The server believes that it listens where
 * it was told to: 'listening' is emitted, `address()` and `listening` say so, `close()` ends that when no request runs any more.
 * So do further ones on the same port: Fastify has one for each address of `localhost`. Those on another port, or on a path of
 * their own, really listen.
 */
export function takeOverListen(): TakenOver {
  const own = Object.getOwnPropertyDescriptor(Server.prototype, 'listen');
  // eslint-disable-next-line typescript/unbound-method -- it is called on the server
  const listen = Server.prototype.listen;
  let resolve: (handler: AppHandler) => void;
  const handler = new Promise<AppHandler>((settle) => (resolve = settle));
  const servers = new Map<Server, Pretence>();
  let port: number | undefined; // the first one's
  Server.prototype.listen = function listenInstead(this: Server, ...args: unknown[]): Server {
    const place = placeOf(args);
    let pretence = servers.get(this);
    if (place === undefined || (pretence === undefined && place.port !== (port ?? place.port))) {
      return Reflect.apply(listen, this, args) as Server;
    }
    const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (callback !== undefined) this.once('listening', callback);
    if (pretence === undefined) servers.set(this, (pretence = new Pretence(this)));
    pretence.listen(place);
    if (port === undefined) resolve(pretence.handler);
    port ??= place.port;
    return this;
  } as typeof listen;
  return {
    handler,
    restore: () => {
      if (own === undefined) delete (Server.prototype as { listen?: unknown }).listen;
      else Object.defineProperty(Server.prototype, 'listen', own);
    },
  };
}

interface Place {
  readonly port: number;
  readonly host: string | undefined;
}

/** The forms of net.Server.listen that mean a port. */
function placeOf([first, second]: readonly unknown[]): Place | undefined {
  if (typeof first === 'object' && first !== null) {
    const { port, host, path } = first as ListenOptions & { fd?: number };
    if (path !== undefined || 'fd' in first || '_handle' in first) return undefined;
    return { port: Number(port ?? 0), host };
  }
  const port = first === undefined || first === null || typeof first === 'function' ? 0 : Number(first);
  if (!Number.isInteger(port)) return undefined; // a path
  return { port, host: typeof second === 'string' ? second : undefined };
}

/** What a server that does not listen says of itself. */
class Pretence {
  readonly handler: AppHandler;
  readonly #server: Server;
  #place: Place | undefined; // while it listens
  #running = 0;

  constructor(server: Server) {
    this.#server = server;
    this.handler = fromServer(server, (response) => this.#onRequest(response));
    const property = { configurable: true, enumerable: false };
    Object.defineProperties(server, {
      listening: { get: () => this.#place !== undefined, ...property },
      address: { value: () => this.#address(), writable: true, ...property },
      close: { value: (callback?: (error?: Error) => void) => this.#close(callback), writable: true, ...property },
    });
  }

  listen(place: Place): void {
    this.#place = place;
    process.nextTick(() => this.#server.emit('listening'));
  }

  #onRequest(response: ServerResponse): void {
    this.#running += 1;
    response.once('close', () => {
      this.#running -= 1;
      this.#checkClosed();
    });
  }

  #address(): { address: string; port: number; family: string } | null {
    if (this.#place === undefined) return null;
    const { host = '::', port } = this.#place;
    const address = isIP(host) === 0 ? '127.0.0.1' : host;
    return { address, port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
  }

  #close(callback?: (error?: Error) => void): Server {
    const running = this.#place !== undefined;
    this.#place = undefined;
    if (callback !== undefined) {
      this.#server.once('close', () => {
        if (running) callback();
        else callback(Object.assign(new Error('Server is not running.'), { code: 'ERR_SERVER_NOT_RUNNING' }));
      });
    }
    process.nextTick(() => this.#checkClosed());
    return this.#server;
  }

  #checkClosed(): void {
    if (this.#place === undefined && this.#running === 0) this.#server.emit('close');
  }
}
