// HttpError: an answer that is thrown.

import { reasonPhrase } from '../cgi/index.ts';
import { HttpHeaders, type HeadersInit } from './http-headers.ts';

export interface HttpErrorOptions {
  headers?: HeadersInit;
  cause?: unknown;
}

/**
 * Throw it anywhere below the application: `throw new HttpError(404, 'no such user')`. The layer around it turns it into
 * a response with that status; the message is shown to the client, so it must hold nothing secret.
 * Throws RangeError for another status, ResponseHeadError for headers that would break the head.
 */
export class HttpError extends Error {
  /** 400 to 599. */
  readonly status: number;
  readonly headers: HttpHeaders | undefined;

  constructor(status: number, message: string = reasonPhrase(status), options: HttpErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError: status ${status} is not 400 to 599`);
    }
    this.name = 'HttpError';
    this.status = status;
    this.headers = options.headers === undefined ? undefined : new HttpHeaders(options.headers);
  }
}
