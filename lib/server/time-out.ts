// timeOut(): ends a request that was not answered within requestTimeout, whatever its handler does.

import { requestMethod, requestTarget } from '../cgi/index.ts';
import type { IncomingRequest } from './incoming-request.ts';
import type { Settings } from './options.ts';
import { giveUp } from './refusal.ts';
import { RequestError } from './request-error.ts';

/** The web server is answered before the handler is told: what the handler says to that goes nowhere. */
export function timeOut(request: IncomingRequest, { requestTimeout, log }: Settings): void {
  const { params, response } = request;
  const why = `it was not answered within requestTimeout, ${requestTimeout} ms`;
  log.warn({ method: requestMethod(params), uri: requestTarget(params) }, `request ended: ${why}`);
  const reason = new RequestError('TIMEOUT', `the request ended: ${why}`);
  for (const input of request.inputs) input.fail(reason); // or the end of the answer gives them another reason
  giveUp(response, 504, `the request ended: ${why}`);
  response.drop(); // who waits for room waits no longer
  request.abort(reason);
}
