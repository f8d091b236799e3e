// An error as a response: plain text that tells the client what it may know.

import { reasonPhrase } from '../cgi/index.ts';
import { HttpError } from './http-error.ts';
import { HttpResponse } from './http-response.ts';

// What the server's RequestError codes mean to a client; one that has gone away is told nothing.
const STATUS_OF_CODE: ReadonlyMap<unknown, number> = new Map([
  ['ABORTED', 400],
  ['BODY_TRUNCATED', 400],
  ['BODY_TOO_LARGE', 413],
  ['BODY_TIMEOUT', 408],
  ['TIMEOUT', 504],
  ['STOPPING', 503],
]);

/** HttpErrors show their message; a body that did not come is the client's fault; anything else is a bare 500. */
export function errorResponse(error: unknown): HttpResponse {
  const status = statusOf(error);
  const message = error instanceof HttpError ? error.message : reasonPhrase(status);
  const headers = error instanceof HttpError ? error.headers : undefined;
  const response = HttpResponse.text(
    `${status} ${message}\n`,
    headers === undefined ? { status } : { status, headers },
  );
  response.error = error;
  response.unexpected = status === 500 && !(error instanceof HttpError);
  return response;
}

function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  if (error instanceof Error && 'code' in error && (error.name === 'RequestError' || error.name === 'AbortError')) {
    return STATUS_OF_CODE.get(error.code) ?? 500;
  }
  return 500;
}
