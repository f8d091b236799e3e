// takeOverListen(): the first http.Server of this process that is told to listen on a port serves us instead.

import { Server } from 'node:http';
import type { ListenOptions } from 'node:net';
import type { AppHandler } from '../../app/index.ts';
import { fromNode } from './from-node.ts';

export interface TakenOver {
  /** Resolves when a server listens: what answers its requests. */
  readonly handler: Promise<AppHandler>;
  /** http.Server is as it was; a server that was taken stays so. */
  restore(): void;
}

/**
 * Call it before the program is loaded that calls `http.createServer(...).listen(...)`. The server believes that it listens where
 * it was told to: 'listening' is emitted, `address()` and `listening` say so, `close()` ends that. Further servers, and ones on a
 * path of their own, really listen.
 */
export function takeOverListen(): TakenOver {
  const { listen } = Server.prototype;
  let resolve: (handler: AppHandler) => void;
  const handler = new Promise<AppHandler>((settle) => (resolve = settle));
  let taken = false;
  Server.prototype.listen = function listenInstead(this: Server, ...args: unknown[]): Server {
    const place = placeOf(args);
    if (taken || place === undefined) return Reflect.apply(listen, this, args) as Server;
    taken = true;
    pretend(this, place);
    const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (callback !== undefined) this.once('listening', callback);
    process.nextTick(() => this.emit('listening'));
    resolve(fromNode((request, response) => this.emit('request', request, response)));
    return this;
  } as typeof listen;
  return {
    handler,
    restore: () => {
      Server.prototype.listen = listen;
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

function pretend(server: Server, { port, host = '::' }: Place): void {
  const family = host.includes(':') ? 'IPv6' : 'IPv4';
  let listening = true;
  Object.defineProperties(server, {
    listening: { get: () => listening, configurable: true },
    address: { value: () => (listening ? { address: host, port, family } : null), configurable: true, writable: true },
    close: {
      value(callback?: (error?: Error) => void): Server {
        if (callback !== undefined) server.once('close', () => callback());
        if (listening) process.nextTick(() => server.emit('close'));
        listening = false;
        return server;
      },
      configurable: true,
      writable: true,
    },
  });
}
