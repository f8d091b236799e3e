// What a web-standard handler returned, as an answer.

import { type Body, HttpResponse } from '../../app/index.ts';
import { bodyAtOnce } from './body-at-once.ts';

/** A Response of the platform's kind: another implementation's (undici, a polyfill) has no class in common with it. */
type ResponseLike = Pick<Response, 'status' | 'headers' | 'body' | 'bodyUsed' | 'type'>;

/** Throws TypeError, or rejects with it, for what is no Response, has been read already or is Response.error(). */
export function toAnswer(returned: unknown): HttpResponse | Promise<HttpResponse> {
  return returned instanceof Promise || isThenable(returned)
    ? Promise.resolve(returned).then(responseOf)
    : responseOf(returned);
}

function responseOf(returned: unknown): HttpResponse | Promise<HttpResponse> {
  if (!isResponse(returned)) throw new TypeError(`a fetch handler returned ${describe(returned)}: return a Response`);
  if (returned.type === 'error') throw new TypeError('a fetch handler returned Response.error()');
  const { body, status, headers } = returned;
  if (returned.bodyUsed || body?.locked) throw new TypeError('the body of the Response has been read already');
  const response = new HttpResponse(undefined, { status, headers });
  response.typed = false; // a type that the handler has not set is not made up
  if (body === null) return response;
  if (!('getReader' in body)) return withBody(response, body); // node-fetch has a Node stream
  return bodyAtOnce(body).then((atOnce) => withBody(response, atOnce));
}

function withBody(response: HttpResponse, body: Body): HttpResponse {
  response.body = body;
  return response;
}

function isResponse(value: unknown): value is ResponseLike {
  if (value instanceof Response) return true;
  if (typeof value !== 'object' || value === null) return false;
  return 'status' in value && 'bodyUsed' in value && 'body' in value && isPairs((value as ResponseLike).headers);
}

function isPairs(headers: unknown): boolean {
  return typeof headers === 'object' && headers !== null && Symbol.iterator in headers;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
