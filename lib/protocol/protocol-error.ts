// ProtocolError: the peer broke FastCGI 1.0, or one of our bounds on it.

/**
 * What was wrong, as a stable word:
 * - `BAD_VERSION`: a record's version is not 1 (3.3). The stream is out of sync: close the connection.
 * - `BAD_LENGTH`: a body of fixed size has another size (5.1, 5.5, 4.2).
 * - `BAD_ID`: an application record with request id 0, or a BEGIN_REQUEST for an id that is active (3.3).
 * - `BAD_ORDER`: STDIN or DATA before the end of PARAMS.
 * - `BAD_PAIR`: a name-value pair is cut at the end of its stream (3.4).
 * - `TOO_LARGE`: a pair, a stream of pairs, or a management record is over its bound.
 * - `TOO_MANY`: more pairs than the bound.
 */
export type ProtocolErrorCode =
  'BAD_VERSION' | 'BAD_LENGTH' | 'BAD_ID' | 'BAD_ORDER' | 'BAD_PAIR' | 'TOO_LARGE' | 'TOO_MANY';

/** The peer broke the protocol or a bound on it; `code` tells which. */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;

  constructor(code: ProtocolErrorCode, message: string) {
    super(message);
    this.name = 'ProtocolError';
    this.code = code;
  }
}
