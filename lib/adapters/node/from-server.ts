// fromServer(): what listens to an http.Server's requests, as a handler of an Application.

import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AppHandler } from '../../app/index.ts';
import { fromNode } from './from-node.ts';

/** An http.Server, or what has its face. */
export interface RequestServer extends EventEmitter {
  /** ms; 0: none. */
  timeout: number;
}

/** `onRequest` is called before the listeners. */
export function fromServer(server: RequestServer, onRequest?: (response: ServerResponse) => void): AppHandler {
  return fromNode((request, response) => {
    const { socket } = request;
    (socket as unknown as { server: RequestServer }).server = server;
    if (server.timeout > 0) socket.setTimeout(server.timeout);
    onRequest?.(response);
    return emitRequest(server, request, response);
  });
}

/** Listeners are called by hand: what an async one rejects with is this request's error. Tracing tools replace `emit`. */
function emitRequest(server: RequestServer, request: IncomingMessage, response: ServerResponse): unknown {
  if (server.emit !== EventEmitter.prototype.emit) return void server.emit('request', request, response);
  const listeners = server.rawListeners('request');
  if (listeners.length === 0) throw new Error("the server has no listener for 'request'");
  const returned = listeners.map((listener): unknown => Reflect.apply(listener, server, [request, response]));
  return returned.length === 1 ? returned[0] : Promise.all(returned);
}
