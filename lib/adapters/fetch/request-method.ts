// The method of a request as the platform's Request has it (Fetch, 5.4).

import { type HttpRequest, HttpError } from '../../app/index.ts';

const USUAL: ReadonlySet<string> = new Set(['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
const NORMALIZED = /^(?:delete|get|head|options|post|put)$/i;
const FORBIDDEN = /^(?:connect|trace|track)$/i;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Throws HttpError 501 for the methods that no Request may have, 400 for what is no method. */
export function requestMethod({ method }: HttpRequest): string {
  if (USUAL.has(method)) return method;
  if (FORBIDDEN.test(method)) throw new HttpError(501, `a web-standard handler cannot be asked by ${method}`);
  if (!TOKEN.test(method)) throw new HttpError(400, 'the method is none');
  return NORMALIZED.test(method) ? method.toUpperCase() : method;
}
