// Where in the application something comes from.

import { PostgresError } from './errors.ts';

const MAX_FRAMES = 50; // before those are dropped that are not the application's

const told: WeakSet<PostgresError> = new WeakSet();

/**
 * Give an error the stack of those who wait here, until it has a line of the application's: the first to ask is the nearest. It costs
 * nothing where nothing fails: V8 knows which async functions wait for the one that runs.
 */
export function withCaller(error: unknown): unknown {
  if (error instanceof PostgresError && !told.has(error)) {
    Error.captureStackTrace(error, withCaller);
    const [own = ''] = framesOf(new Error());
    if (foreign(framesOf(error), own).length > 0) told.add(error);
  }
  return error;
}

/** Who is calling: lines of a stack, without those of db/ and Node's. */
export function callers(): string {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = MAX_FRAMES;
  const [own = '', ...lines] = framesOf(new Error());
  Error.stackTraceLimit = limit;
  return foreign(lines, own).join('\n') || lines.join('\n');
}

/** The message may have lines too, that are no frames. */
function framesOf({ stack = '' }: Error): string[] {
  return stack.split('\n').filter((line) => /^ +at /.test(line));
}

/** Those that are neither of db/ nor Node's. `own`: one of this file. */
function foreign(lines: readonly string[], own: string): string[] {
  const folder = /\(?([^\s(]*[/\\])errors[/\\][^/\\]+:\d+:\d+\)?$/.exec(own)?.[1] ?? own;
  return lines.filter((line) => !line.includes(folder) && !/\(?node:/.test(line));
}
