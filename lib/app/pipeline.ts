// The onion: middleware around a handler, each layer with its errors turned into responses (django/core/handlers).

import { type Answer, toResponse } from './answer.ts';
import type { HttpRequest } from './http-request.ts';
import { HttpResponse } from './http-response.ts';

/** The rest of the pipeline: always a response, never an exception. */
export type Next = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** Answers a request. */
export type AppHandler = (request: HttpRequest) => Answer | Promise<Answer>;

/** One layer: answers by itself, or hands on to `next` and may change what comes back. */
export type Middleware = (request: HttpRequest, next: Next) => Answer | Promise<Answer>;

/** Makes a response of an error that a layer threw. */
export type ConvertError = (request: HttpRequest, error: unknown) => HttpResponse | Promise<HttpResponse>;

/** Put `layers` around `innermost`, the first one outside. */
export function compose(layers: readonly Middleware[], innermost: AppHandler, convert: ConvertError): Next {
  return layers.reduceRight<Next>(
    (next, layer) => guarded((request) => layer(request, next), convert),
    guarded(innermost, convert),
  );
}

/** Plain answers stay plain: only a layer that is async costs a promise. */
function guarded(layer: AppHandler, convert: ConvertError): Next {
  return (request) => {
    try {
      const answer = layer(request);
      if (answer instanceof HttpResponse) return answer;
      if (isThenable(answer)) return settled(answer, request, convert);
      return toResponse(answer);
    } catch (error) {
      return convert(request, error);
    }
  };
}

async function settled(
  answer: PromiseLike<unknown>,
  request: HttpRequest,
  convert: ConvertError,
): Promise<HttpResponse> {
  try {
    return toResponse(await answer);
  } catch (error) {
    return convert(request, error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
