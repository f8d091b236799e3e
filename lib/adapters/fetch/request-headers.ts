// The header fields of a request as the platform's Headers.

import { type HttpRequest, HttpError } from '../../app/index.ts';

/** Throws HttpError 400 for a value that no field can have, which no web server lets through. */
export function requestHeaders(request: HttpRequest): Headers {
  try {
    return new Headers([...request.headers]);
  } catch (cause) {
    throw new HttpError(400, 'a header field is none', { cause });
  }
}

/** Make `headers` say what `other` says. */
export function copyHeaders(other: Headers, headers: Headers): void {
  const before = [...headers.keys()];
  for (const name of before) headers.delete(name);
  for (const [name, value] of other) headers.append(name, value);
}
