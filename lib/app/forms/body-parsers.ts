// JSON and URL-encoded bodies, once they are text.

import { HttpError } from '../http-error.ts';

/** Bounds on a URL-encoded form. */
export interface FormLimits {
  /** The most fields. Default 1000. */
  maxFields?: number;
}

/** Whether a Content-Type's media type passes, its parameters left aside. */
function isType(contentType: string | undefined, pattern: RegExp): boolean {
  return pattern.test((contentType ?? '').split(';', 1)[0]?.trim() ?? '');
}

/** Throws HttpError 415 unless the type is application/json or some +json. */
export function requireJson(contentType: string | undefined): void {
  if (isType(contentType, /^application\/(?:[\w.+-]+\+)?json$/i)) return;
  throw new HttpError(415, 'send the body as application/json');
}

/** Throws HttpError 415 unless the type is application/x-www-form-urlencoded. */
export function requireForm(contentType: string | undefined): void {
  if (isType(contentType, /^application\/x-www-form-urlencoded$/i)) return;
  throw new HttpError(415, 'send the body as application/x-www-form-urlencoded');
}

/** Throws HttpError 400 where the text is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Throws HttpError 413 over `maxFields`. */
export function parseForm(text: string, limits: FormLimits = {}): URLSearchParams {
  const { maxFields = 1000 } = limits;
  const fields = text === '' ? 0 : text.split('&', maxFields + 1).length;
  if (fields > maxFields) throw new HttpError(413, `a form of more than ${maxFields} fields`);
  return new URLSearchParams(`?${text}`); // it takes one ? off, which may be the form's own
}
