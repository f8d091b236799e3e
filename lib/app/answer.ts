// What handlers return, made an HttpResponse.

import { HttpResponse, type StreamBody } from './http-response.ts';

/** What a handler may return: a response, a web-standard Response, text, or a value that is sent as JSON. */
export type Answer = HttpResponse | Response | string | Uint8Array | object;

/**
 * Throws TypeError for what is no answer: who returns nothing has most likely forgotten the `return`. `by` and `advice` are
 * for its message. An Error that is returned is thrown.
 */
export function toResponse(answer: unknown, by: string, advice: string): HttpResponse {
  if (answer instanceof HttpResponse) return answer;
  if (typeof answer === 'string') return HttpResponse.text(answer);
  if (answer instanceof Uint8Array) return new HttpResponse(answer);
  if (answer instanceof Response) return fromWeb(answer);
  if (typeof answer === 'object' && answer !== null) {
    if (answer instanceof Error) throw answer;
    if (Symbol.asyncIterator in answer) return HttpResponse.stream(answer as StreamBody);
    return HttpResponse.json(answer);
  }
  throw new TypeError(`${by} returned ${String(answer)}: return ${advice}`);
}

/** A web-standard Response: its body streams. Throws TypeError where it has been read already. */
function fromWeb(response: Response): HttpResponse {
  if (response.bodyUsed || response.body?.locked) throw new TypeError('the body of the Response has been read already');
  const body = response.body === null ? undefined : (response.body as unknown as StreamBody);
  return new HttpResponse(body, { status: response.status, headers: [...response.headers] });
}
