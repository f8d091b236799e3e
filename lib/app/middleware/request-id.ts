// requestId(): a name for each request, for logs and for whoever asks what became of it.

import { randomUUID } from 'node:crypto';
import type { Middleware } from '../pipeline.ts';
import { withResponse } from './with-response.ts';

export interface RequestIdOptions {
  /** The header field of the id, in the answer and, with `trust`, in the request. Default X-Request-Id. */
  header?: string;
  /** Take the request's own id, where it has one: only behind a web server that sets it or removes a client's. Default false. */
  trust?: boolean;
}

const ID = /^[\w.~+/=:@-]{1,128}$/;

/** Sets `request.state.requestId`, a UUID or the trusted id, and the answer's header field where no layer within has set it. */
export function requestId(options: RequestIdOptions = {}): Middleware {
  const { header = 'X-Request-Id', trust = false } = options;
  return (request, next) => {
    const given = trust ? request.header(header) : undefined;
    const id = given !== undefined && ID.test(given) ? given : randomUUID();
    request.state['requestId'] = id;
    return withResponse(next(request), ({ headers }) => {
      if (!headers.has(header)) headers.append(header, id);
    });
  };
}
