// FetchContext: the third argument of a web-standard handler, as Cloudflare Workers' ExecutionContext.

import type { HttpRequest } from '../../app/index.ts';

const NO_PROPS: Readonly<Record<string, never>> = Object.freeze({});

export class FetchContext {
  /** The request as Postfork has it, with what middleware has left in it: `state`, `user`, `session`, `remoteAddress`. */
  readonly request: HttpRequest;

  constructor(request: HttpRequest) {
    this.request = request;
  }

  /** There are none. */
  get props(): Readonly<Record<string, never>> {
    return NO_PROPS;
  }

  /** Work after the response: `request_finished` waits for it. A rejection is reported as got_request_exception. */
  waitUntil(work: PromiseLike<unknown>): void {
    this.request.waitUntil(work);
  }

  /** Does nothing: behind the application there is no other server that an exception could be passed through to. */
  passThroughOnException(): void {}
}
