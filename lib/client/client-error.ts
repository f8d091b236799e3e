// ClientError: why a request to a FastCGI application came to nothing.

/**
 * - `BAD_ADDRESS`: an address that is not `unix:/path` or `tcp:host:port`.
 * - `BAD_REQUEST`: what was given to be sent cannot be sent: a name or value in PARAMS that is not latin1.
 * - `CONNECT_FAILED`: no connection; `cause` is the system's error.
 * - `CONNECT_TIMEOUT`: no connection within `connectTimeout`.
 * - `QUEUE_FULL`: every connection is busy and `maxQueue` requests wait already.
 * - `QUEUE_TIMEOUT`: no connection became free within `queueTimeout`.
 * - `HEAD_TIMEOUT`: no response head within `headTimeout`.
 * - `BODY_TIMEOUT`: no more of the body within `bodyTimeout`.
 * - `SLOW_READER`: nobody read the body for `stallTimeout` while other requests on the connection had to wait for it.
 * - `SOURCE_FAILED`: the iterable given as `stdin` or `data` threw; `cause` is what it threw.
 * - `CLOSED`: the application closed the connection before any response head, or this client was closed.
 * - `TRUNCATED`: the connection ended before END_REQUEST, or the body is shorter than its Content-Length.
 * - `BAD_RESPONSE`: the application broke FastCGI or CGI; `cause` is the ProtocolError or MalformedHeadError, if any.
 * - `TOO_LARGE`: more of a body than `bytes`, `text` or `json` may collect.
 * - `ABORTED`: the caller's signal, or the reader destroyed the body; `cause` is the signal's reason.
 * - `CANT_MPX_CONN`, `OVERLOADED`, `UNKNOWN_ROLE`: the application refused the request with that protocolStatus (5.5).
 * - `UNKNOWN_TYPE`: the application does not know GET_VALUES (4.2).
 */
export type ClientErrorCode =
  | 'BAD_ADDRESS'
  | 'BAD_REQUEST'
  | 'CONNECT_FAILED'
  | 'CONNECT_TIMEOUT'
  | 'QUEUE_FULL'
  | 'QUEUE_TIMEOUT'
  | 'HEAD_TIMEOUT'
  | 'BODY_TIMEOUT'
  | 'SLOW_READER'
  | 'SOURCE_FAILED'
  | 'CLOSED'
  | 'TRUNCATED'
  | 'BAD_RESPONSE'
  | 'TOO_LARGE'
  | 'ABORTED'
  | 'CANT_MPX_CONN'
  | 'OVERLOADED'
  | 'UNKNOWN_ROLE'
  | 'UNKNOWN_TYPE';

/** A request came to nothing; `code` tells why, `cause` what was behind it. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  /** What the application wrote to STDERR until then; '' where nothing came. */
  readonly stderr: string;

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown; stderr?: string } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = code === 'ABORTED' ? 'AbortError' : 'ClientError';
    this.code = code;
    this.stderr = options.stderr ?? '';
  }
}
