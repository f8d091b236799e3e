// Where in the application something comes from.

import { PostgresError } from './errors.ts';

const MAX_FRAMES = 50; // before those are dropped that are not the application's

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

/** Who is calling: lines of a stack, without those of db/ and Node's. */
export function callers(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = MAX_FRAMES;
  const [own = '', ...lines] = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = limit;
  const folder = /\(?([^\s(]*[/\\])errors[/\\][^/\\]+:\d+:\d+\)?$/.exec(own)?.[1] ?? own;
  return lines.filter((line) => !line.includes(folder) && !/\(?node:/.test(line)).join('\n') || lines.join('\n');
}
