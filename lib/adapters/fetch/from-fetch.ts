// fromFetch(): a web-standard handler, (Request) => Response, as a handler of an Application.

import type { AppHandler, HttpRequest } from '../../app/index.ts';
import { completeLightRequest } from './complete-light-request.ts';
import { FetchContext } from './fetch-context.ts';
import { LightRequest, platformRequest } from './light-request.ts';
import { requestMethod } from './request-method.ts';
import { Origins, requestUrl } from './request-url.ts';
import { type ServedRequest, runtimeOf } from './served-request.ts';
import { toAnswer } from './to-answer.ts';

/** What serves requests on other platforms: Deno.serve, Bun.serve, Cloudflare Workers, srvx. */
export type FetchHandler<Env = never> = (
  request: ServedRequest,
  env: Env,
  context: FetchContext,
) => Response | PromiseLike<Response>;

/** An object or a function with such a handler: an application of Hono, h3 or itty-router, a module's default export. */
export interface FetchObject<Env = never> {
  fetch(request: ServedRequest, env: Env, context: FetchContext): Response | PromiseLike<Response>;
}

export interface FetchOptions<Env = NodeJS.ProcessEnv> {
  /** The handler's second argument. Default: process.env. */
  env?: Env;
  /** Whether the handler gets a light Request, that makes the platform's own where it is needed. Default true. */
  light?: boolean;
}

/**
 * The handler is given `(request, env, context)`, see FetchContext. An object's `fetch` is called as its method. Bodies stream both
 * ways; `request.signal` aborts when the client has gone away; below a mount the URL's path begins there. Bodies that are read
 * whole are bounded by the bodyLimit middleware and the web server only, as those that are read as streams. Requests without
 * a host that is one are answered with 400, TRACE, TRACK and CONNECT, which no Request may have, with 501.
 * Throws TypeError for what is no handler.
 */
export function fromFetch<Env = NodeJS.ProcessEnv>(
  handler: FetchHandler<Env> | FetchObject<Env>,
  options: FetchOptions<Env> = {},
): AppHandler {
  const call = callOf(handler);
  const env = options.env ?? (process.env as Env);
  const origins = new Origins();
  const light = options.light !== false;
  if (light) completeLightRequest();
  return (request) => {
    const method = requestMethod(request);
    const origin = origins.of(request);
    const given = light ? new LightRequest(request, method, origin) : realRequest(request, method, origin);
    return toAnswer(call(given as unknown as ServedRequest, env, new FetchContext(request)));
  };
}

function callOf<Env>(handler: FetchHandler<Env> | FetchObject<Env>): FetchHandler<Env> {
  // Asked for `fetch` first: h3's handlers are functions that have one.
  if (hasFetch<Env>(handler)) return (request, env, context) => handler.fetch(request, env, context);
  if (typeof handler === 'function') return handler;
  throw new TypeError('fromFetch: a handler is a function (request), or an object whose `fetch` is one');
}

function hasFetch<Env>(handler: unknown): handler is FetchObject<Env> {
  return (
    ((typeof handler === 'object' && handler !== null) || typeof handler === 'function') &&
    'fetch' in handler &&
    typeof handler.fetch === 'function'
  );
}

function realRequest(request: HttpRequest, method: string, origin: string): Request {
  return Object.assign(platformRequest(request, requestUrl(origin, request), method), {
    ip: request.remoteAddress || undefined,
    runtime: runtimeOf(request),
    waitUntil: (work: PromiseLike<unknown>) => request.waitUntil(work),
  });
}
