// Where in the application an error comes from: its stack begins at the call, not at the socket that brought the answer.

import { PostgresError } from './errors.ts';

const told: WeakSet<PostgresError> = new WeakSet();

/**
 * Give an error the stack of those who wait here, once: the first to ask is the nearest to the application's line. It costs nothing
 * where nothing fails: V8 knows which async functions wait for the one that runs.
 */
export function withCaller(error: unknown): unknown {
  if (error instanceof PostgresError && !told.has(error)) {
    told.add(error);
    Error.captureStackTrace(error, withCaller);
  }
  return error;
}
