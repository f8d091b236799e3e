// What handlers return, made an HttpResponse.

import { HttpResponse, type StreamBody } from './http-response.ts';

/** What a handler may return: a response, a web-standard Response, text, or a value that is sent as JSON. */
export type Answer = HttpResponse | Response | string | Uint8Array | object;

/** Throws TypeError for what is no answer: a handler that returns nothing has most likely forgotten its `return`. */
export function toResponse(answer: unknown): HttpResponse {
  if (answer instanceof HttpResponse) return answer;
  if (typeof answer === 'string') return HttpResponse.text(answer);
  if (answer instanceof Uint8Array) return new HttpResponse(answer);
  if (answer instanceof Response) return fromWeb(answer);
  if (typeof answer === 'object' && answer !== null) {
    if (Symbol.asyncIterator in answer) return HttpResponse.stream(answer as StreamBody);
    return HttpResponse.json(answer);
  }
  throw new TypeError(`a handler returned ${String(answer)}: return an HttpResponse, a string or an object`);
}

/** A web-standard Response: its body streams. */
function fromWeb(response: Response): HttpResponse {
  const body = response.body === null ? undefined : (response.body as unknown as StreamBody);
  return new HttpResponse(body, { status: response.status, headers: [...response.headers] });
}
