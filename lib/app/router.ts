// Router: methods and path patterns to handlers, on find-my-way.

import findMyWay from 'find-my-way';
import { HttpError } from './http-error.ts';
import type { HttpRequest, RouteParams } from './http-request.ts';
import { HttpResponse } from './http-response.ts';
import type { AppHandler } from './pipeline.ts';

type Method = findMyWay.HTTPMethod;

const BAD_URL: AppHandler = () => {
  throw new HttpError(400, 'the path is not percent-encoded UTF-8');
};
const MAX_PARAM_LENGTH = 4096;
const PLAIN = /^[A-Za-z0-9\-._~/]*$/; // a pattern that is the one path it stands for

/** Patterns: `/users/:id`, `/files/*`, `/:year(^\\d{4}$)`. A route for GET answers HEAD too. */
export class Router {
  readonly #routes: findMyWay.Instance<findMyWay.HTTPVersion.V1> = findMyWay({
    maxParamLength: MAX_PARAM_LENGTH,
    onBadUrl: () => undefined,
  });
  /** By method: the handlers of plain patterns, which need no search. */
  readonly #methods: Map<string, Map<string, AppHandler>> = new Map();

  /** Throws where the pattern is none, or has a handler for that method. */
  on(method: string, pattern: string, handler: AppHandler): void {
    this.#routes.on(method as Method, pattern, () => undefined, handler);
    const plain = this.#methods.get(method) ?? new Map<string, AppHandler>();
    if (PLAIN.test(pattern)) plain.set(pattern, handler);
    this.#methods.set(method, plain);
  }

  /**
   * Run the handler of the request's route, or `fallback` where no route has its path. Throws HttpError 404, 405 (with
   * Allow) or 400.
   */
  route(request: HttpRequest, fallback: AppHandler | undefined): ReturnType<AppHandler> {
    const { path } = request;
    const plain = this.#methods.get(request.method)?.get(path);
    if (plain !== undefined) return plain(request);
    const method = request.method === 'HEAD' ? 'GET' : request.method;
    const found = this.#find(request.method, path) ?? (method === 'GET' ? this.#find(method, path) : undefined);
    if (found !== undefined) {
      request.params = found.params;
      return found.handler(request);
    }
    const allowed = [...this.#methods.keys()].filter((other) => this.#find(other, path) !== undefined);
    if (allowed.length === 0) {
      if (fallback !== undefined) return fallback(request);
      throw new HttpError(404);
    }
    if (allowed.includes('GET') && !allowed.includes('HEAD')) allowed.push('HEAD');
    const headers = { Allow: allowed.sort().join(', ') };
    if (request.method === 'OPTIONS') return HttpResponse.empty({ headers });
    throw new HttpError(405, undefined, { headers });
  }

  #find(method: string, path: string): { handler: AppHandler; params: RouteParams } | undefined {
    if (!this.#methods.has(method)) return undefined;
    const found = this.#routes.find(method as Method, path);
    if (found === null) return undefined;
    const { store, params } = found as unknown as { store: AppHandler | null; params: RouteParams };
    return { handler: store ?? BAD_URL, params };
  }
}
