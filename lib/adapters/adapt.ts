// adapt(): what somebody else's module exports, as a handler of an Application.

import { Server as HttpServer } from 'node:http';
import type { AppHandler } from '../app/index.ts';
import { type FetchHandler, fromFetch } from './fetch/index.ts';
import { fromNode, fromServer, type NodeListener } from './node/index.ts';

type Callable = (...args: never[]) => unknown;

/**
 * Of an Express or connect application, a Koa or Fastify one, an http.Server, a listener `(req, res)`, a web-standard handler with
 * `fetch` (Hono, h3, itty-router), a handler `(request)`, or a class whose instances are one of these. Throws TypeError
 * for what is none.
 */
export function adapt(exported: unknown): AppHandler {
  if (typeof exported === 'function') return ofFunction(exported as Callable);
  if (typeof exported !== 'object' || exported === null) throw new TypeError(`${describe(exported)} is no application`);
  // Asked by `in` first: a router may be a Proxy that has a function under every name.
  if (has(exported, 'fetch')) return fromFetch(exported as { fetch: FetchHandler });
  if (exported instanceof HttpServer) return fromServer(exported);
  if (has(exported, 'routing') && has(exported, 'ready')) return ofFastify(exported as unknown as Fastify);
  if (has(exported, 'callback')) return fromNode((exported as { callback(): NodeListener }).callback()); // Koa
  throw new TypeError(`${describe(exported)} is no application: it has neither fetch, nor routing, nor callback`);
}

function ofFunction(exported: Callable): AppHandler {
  if (/^class\b/.test(Function.prototype.toString.call(exported))) {
    return adapt(new (exported as unknown as new () => unknown)());
  }
  const isListener = has(exported, 'handle') || exported.length > 1; // Express and connect are functions with methods
  if (has(exported, 'fetch')) return fromFetch(exported as unknown as { fetch: FetchHandler });
  return isListener ? fromNode(exported as NodeListener) : (exported as unknown as AppHandler);
}

interface Fastify {
  ready(): PromiseLike<unknown>;
  routing: NodeListener;
}

/** Its plugins are loaded when it is first asked, if nobody has done so before. */
function ofFastify(application: Fastify): AppHandler {
  let ready: PromiseLike<unknown> | undefined;
  let isReady = false;
  const handler = fromNode((request, response) => application.routing(request, response));
  return async (request) => {
    if (!isReady) {
      await (ready ??= application.ready());
      isReady = true;
    }
    return handler(request);
  };
}

function has(value: object, name: string): boolean {
  return name in value && typeof (value as Record<string, unknown>)[name] === 'function';
}

function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === 'object'
    ? `an object with ${Object.keys(value).slice(0, 8).join(', ') || 'nothing in it'}`
    : `a ${typeof value}`;
}
