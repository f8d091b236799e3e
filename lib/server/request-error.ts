// RequestError: why a request's input or the request itself came to nothing.

/**
 * - `ABORTED`: the web server sent ABORT_REQUEST, or its connection ended.
 * - `BODY_TRUNCATED`: STDIN (or DATA) ended short of its announced length (specification 6.2).
 * - `BODY_TOO_LARGE`: more than the reader wants.
 * - `BODY_TIMEOUT`: the web server sent nothing for `bodyTimeout`.
 * - `TIMEOUT`: the request was not answered within `requestTimeout`.
 * - `STOPPING`: the server is closing and the time for running requests is over.
 */
export type RequestErrorCode =
  'ABORTED' | 'BODY_TRUNCATED' | 'BODY_TOO_LARGE' | 'BODY_TIMEOUT' | 'TIMEOUT' | 'STOPPING';

/** A request, or its input, came to nothing; `code` tells why. */
export class RequestError extends Error {
  readonly code: RequestErrorCode;

  constructor(code: RequestErrorCode, message: string) {
    super(message);
    this.name = code === 'ABORTED' ? 'AbortError' : 'RequestError';
    this.code = code;
  }
}
