// ServedRequest: what the requests of web-standard handlers have besides the platform's own, in the words of srvx (h3).

import type { HttpRequest } from '../../app/index.ts';

/** Frameworks that hand on nothing but the request (h3) find here what others have in the handler's third argument. */
export interface ServedRequest extends Request {
  /** The address of the web server's client; undefined where the web server does not say. */
  readonly ip: string | undefined;
  /** `runtime.postfork.request`: the request as Postfork has it. */
  readonly runtime: Runtime;
  /** As FetchContext's. */
  waitUntil(work: PromiseLike<unknown>): void;
}

export interface Runtime {
  readonly name: 'postfork';
  readonly postfork: { readonly request: HttpRequest };
}

export function runtimeOf(request: HttpRequest): Runtime {
  return { name: 'postfork', postfork: { request } };
}
