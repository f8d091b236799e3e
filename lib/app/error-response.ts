// An error as a response: plain text that tells the client what it may know.

import { reasonPhrase } from '../cgi/index.ts';
import { HttpError } from './http-error.ts';
import { HttpResponse } from './http-response.ts';

const UNAVAILABLE = 503;

// What the server's RequestError codes mean to a client; one that has gone away is told nothing.
const STATUS_OF_CODE: ReadonlyMap<unknown, number> = new Map([
  ['ABORTED', 400],
  ['BODY_TRUNCATED', 400],
  ['BODY_TOO_LARGE', 413],
  ['BODY_TIMEOUT', 408],
  ['TIMEOUT', 504],
  ['STOPPING', UNAVAILABLE],
]);

// Of OperationalErrors, which are 503: the database is not there, has no room or no time. Who asks again may well be answered.
const STATUS_OF_DATABASE: ReadonlyMap<unknown, number> = new Map([
  ['ABORTED', 400],
  ['COMMIT_UNKNOWN', 500], // it may have been done
]);

/** HttpErrors show their message; a body that did not come is the client's fault; a database that is not there is a 503; anything else a bare 500. */
export function errorResponse(error: unknown): HttpResponse {
  const status = statusOf(error);
  const message = error instanceof HttpError ? error.message : reasonPhrase(status);
  const headers = error instanceof HttpError ? error.headers : undefined;
  const response = HttpResponse.text(
    `${status} ${message}\n`,
    headers === undefined ? { status } : { status, headers },
  );
  response.error = error;
  response.unexpected = !(error instanceof HttpError) && (status === 500 || isOperational(error));
  return response;
}

function statusOf(error: unknown): number {
  if (error instanceof HttpError) return error.status;
  if (error instanceof Error && 'code' in error && (error.name === 'RequestError' || error.name === 'AbortError')) {
    return STATUS_OF_CODE.get(error.code) ?? 500;
  }
  return isOperational(error) ? (STATUS_OF_DATABASE.get(error.code) ?? UNAVAILABLE) : 500;
}

/** PEP 249's, as db/ throws it. */
function isOperational(error: unknown): error is Error & { code: unknown } {
  return error instanceof Error && error.name === 'OperationalError' && 'code' in error;
}
