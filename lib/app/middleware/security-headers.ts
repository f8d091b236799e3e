// securityHeaders(): header fields that have browsers be careful.

import { HttpHeaders } from '../http-headers.ts';
import type { Middleware } from '../pipeline.ts';
import { withResponse } from './with-response.ts';

/** A value, or `false` to leave the field out. */
export interface SecurityHeadersOptions {
  /** X-Content-Type-Options. Default `nosniff`. */
  contentTypeOptions?: string | false;
  /** X-Frame-Options: who may show a page in a frame. Default `DENY`; `SAMEORIGIN` allows the site itself. */
  frameOptions?: string | false;
  /** Content-Security-Policy, for example `default-src 'self'; frame-ancestors 'none'`. Default: none. */
  contentSecurityPolicy?: string | false;
  /** Referrer-Policy. Default `same-origin`. */
  referrerPolicy?: string | false;
  /** Cross-Origin-Opener-Policy. Default `same-origin`. */
  crossOriginOpenerPolicy?: string | false;
  /** Strict-Transport-Security, sent over https only (RFC 6797, 7.2). Default `max-age=31536000`, a year, this host alone. */
  strictTransportSecurity?: string | false;
}

/** Adds the fields that a response does not have yet; what a layer within has set stays. Throws for a value that is none. */
export function securityHeaders(options: SecurityHeadersOptions = {}): Middleware {
  const always = fieldsOf([
    ['X-Content-Type-Options', options.contentTypeOptions ?? 'nosniff'],
    ['X-Frame-Options', options.frameOptions ?? 'DENY'],
    ['Content-Security-Policy', options.contentSecurityPolicy ?? false],
    ['Referrer-Policy', options.referrerPolicy ?? 'same-origin'],
    ['Cross-Origin-Opener-Policy', options.crossOriginOpenerPolicy ?? 'same-origin'],
  ]);
  const overHttps = fieldsOf([['Strict-Transport-Security', options.strictTransportSecurity ?? 'max-age=31536000']]);
  return (request, next) =>
    withResponse(next(request), ({ headers }) => {
      addMissing(headers, always);
      if (overHttps.length > 0 && request.scheme === 'https') addMissing(headers, overHttps);
    });
}

/** Names and values in turn, checked. */
function fieldsOf(pairs: [name: string, value: string | false][]): readonly string[] {
  return new HttpHeaders(pairs.filter((pair): pair is [string, string] => pair[1] !== false)).fields;
}

function addMissing(headers: HttpHeaders, fields: readonly string[]): void {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!headers.has(name)) headers.fields.push(name, fields[i + 1] as string);
  }
}
