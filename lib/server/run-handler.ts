// Calls a handler and makes sure that its request is answered whatever becomes of it.

import type { Handler } from './exchange.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { Logger } from './options.ts';
import { refuse } from './refusal.ts';

/**
 * `onEnded` is called once, when the handler has ended. One that returns a promise must have answered by the end of it:
 * otherwise a started answer is completed, and a missing one is a 500. One that returns nothing may answer later.
 */
export function runHandler(handler: Handler, request: IncomingRequest, log: Logger, onEnded: () => void): void {
  let result: void | PromiseLike<void>;
  try {
    result = handler(request, request.response);
  } catch (error) {
    fail(request, error, log);
    onEnded();
    return;
  }
  if (result === undefined) {
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

/** Before the head an error is a 500; after it the web server must see that the answer is cut. */
function fail(request: IncomingRequest, error: unknown, log: Logger): void {
  log.error({ err: error }, 'a handler failed');
  const { response } = request;
  if (response.over) return;
  response.stderr(`a handler failed: ${error instanceof Error ? error.message : String(error)}`);
  if (response.started) response.cut();
  else refuse(response, 500, 1);
}
