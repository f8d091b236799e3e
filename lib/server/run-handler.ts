// Calls a handler and makes sure that its request is answered whatever becomes of it.

import { inspect } from 'node:util';
import type { Handler } from './exchange.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { Logger } from './options.ts';
import { giveUp } from './refusal.ts';

/**
 * `onEnded` is called once, when the handler has ended. One that returns a promise must have answered by the end of it:
 * otherwise a started answer is completed, and a missing one is a 500. One that returns anything else may answer later.
 */
export function runHandler(handler: Handler, request: IncomingRequest, log: Logger, onEnded: () => void): void {
  let result: unknown; // whatever a function that should return nothing returns
  try {
    result = handler(request, request.response);
  } catch (error) {
    fail(request, error, log);
    onEnded();
    return;
  }
  if (!isPromiseLike(result)) {
    onEnded();
    return;
  }
  result.then(
    () => {
      if (!request.response.over) {
        if (request.response.started) request.response.end();
        else fail(request, new Error('the handler ended without an answer'), log);
      }
      onEnded();
    },
    (error: unknown) => {
      fail(request, error, log);
      onEnded();
    },
  );
}

/** Before the head an error is a 500. */
function fail(request: IncomingRequest, error: unknown, log: Logger): void {
  if (request.aborted) log.debug({ err: error }, 'a handler failed after its request was aborted');
  else log.error({ err: error }, 'a handler failed');
  if (!request.response.over) giveUp(request.response, 500, `a handler failed: ${messageOf(error)}`);
}

function isPromiseLike(value: unknown): value is PromiseLike<void> {
  return typeof (value as Partial<PromiseLike<void>> | null | undefined)?.then === 'function';
}

/** Of whatever was thrown: it may have no text, or refuse to give it. */
function messageOf(error: unknown): string {
  try {
    const message: unknown = error instanceof Error ? error.message : error;
    return typeof message === 'string' ? message : inspect(error);
  } catch {
    return 'it threw something that cannot be shown';
  }
}
