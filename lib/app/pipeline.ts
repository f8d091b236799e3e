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
    (next, layer) =>
      guarded((request) => layer(request, next), convert, {
        by: `the middleware ${layer.name || '(without a name)'}`,
        advice: 'what next(request) returns, or an answer of its own',
      }),
    guarded(innermost, convert, { by: 'a handler', advice: 'an HttpResponse, a string or an object' }),
  );
}

/** Plain answers stay plain: only a layer that is async costs a promise. */
function guarded(layer: AppHandler, convert: ConvertError, blame: { by: string; advice: string }): Next {
  const checked = (request: HttpRequest, answer: unknown): HttpResponse | Promise<HttpResponse> => {
    try {
      return toResponse(answer, blame.by, blame.advice);
    } catch (error) {
      return convert(request, error);
    }
  };
  return (request) => {
    if (request === undefined) throw new TypeError('next() was called without the request: call next(request)');
    let answer: unknown;
    try {
      answer = layer(request);
      if (answer instanceof HttpResponse) return answer;
      if (!isThenable(answer)) return checked(request, answer);
    } catch (error) {
      return convert(request, error);
    }
    // Two closures cost less than an async function around each layer.
    return Promise.resolve(answer).then(
      (value) => (value instanceof HttpResponse ? value : checked(request, value)),
      (error: unknown) => convert(request, error),
    );
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
