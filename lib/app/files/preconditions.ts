// Conditional requests (RFC 9110, 13): whether the client has already, or must not get, what would be sent.

import type { HttpRequest } from '../http-request.ts';

/** What identifies the state of a file, or of anything else that is sent. */
export interface Validators {
  /** Entity tag with its quotes, weak ones with `W/` before. */
  etag?: string | undefined;
  /** Seconds since the epoch. */
  lastModified?: number | undefined;
}

/** 200: send it. 304: the client has it. 412: the client wants another state of it. In the order of 13.2.2, for GET and HEAD. */
export function checkPreconditions(request: HttpRequest, validators: Validators): 200 | 304 | 412 {
  const { etag, lastModified } = validators;
  const ifMatch = request.header('If-Match');
  if (ifMatch !== undefined) {
    if (!isListed(ifMatch, etag, 'strong')) return 412;
  } else if (lastModified !== undefined) {
    const since = parseHttpDate(request.header('If-Unmodified-Since'));
    if (since !== undefined && lastModified > since) return 412;
  }
  const ifNoneMatch = request.header('If-None-Match');
  if (ifNoneMatch !== undefined) {
    if (isListed(ifNoneMatch, etag, 'weak')) return 304;
  } else if (lastModified !== undefined) {
    const since = parseHttpDate(request.header('If-Modified-Since'));
    if (since !== undefined && lastModified <= since) return 304;
  }
  return 200;
}

/** Whether a Range is of the state that the client has a part of (13.1.5). Without If-Range it is. */
export function rangeApplies(request: HttpRequest, { etag, lastModified }: Validators): boolean {
  const ifRange = request.header('If-Range');
  if (ifRange === undefined) return true;
  if (/^(?:W\/)?"/.test(ifRange)) return isListed(ifRange, etag, 'strong');
  return lastModified !== undefined && parseHttpDate(ifRange) === lastModified;
}

/** Seconds since the epoch; undefined for what is no HTTP-date in one of its three forms (RFC 9110, 5.6.7). */
export function parseHttpDate(text: string | undefined): number | undefined {
  const match =
    text === undefined
      ? null
      : /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT|([A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}))$/.exec(
          text,
        );
  if (!match) return undefined;
  const time = Date.parse(match[1] === undefined ? (text as string) : `${match[1]} GMT`); // asctime's has no zone
  return Number.isNaN(time) ? undefined : time / 1000;
}

/** Compare an entity tag with a list of them, or `*` (8.8.3.2): weakly the `W/` does not matter, strongly none may have it. */
function isListed(list: string, etag: string | undefined, comparison: 'weak' | 'strong'): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined || (comparison === 'strong' && etag.startsWith('W/'))) return false;
  const opaque = etag.replace(/^W\//, '');
  for (const [tag] of list.matchAll(/(?:W\/)?"[^"]*"/g)) {
    if (tag === opaque || (comparison === 'weak' && tag === `W/${opaque}`)) return true;
  }
  return false;
}
