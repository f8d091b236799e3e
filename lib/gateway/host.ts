// Whom a request is for: the one host that HTTP wants it to have.

import type { IncomingMessage } from 'node:http';
import type { Target } from './target.ts';

// A name or an address, and a port (RFC 9110, 4.2.1); userinfo has no place in it (4.2.4).
const HOST = /^(?:\[[\da-f:.]+\]|[\w\-.~%!$&'()*+;=]+)(?::\d*)?$/i;

/**
 * HTTP_HOST: the target's host, where it has one, or else the field's; '' where HTTP/1.0 tells none. Undefined for what has to be
 * refused (RFC 9112, 3.2): two Host fields, one of which the application would take and something behind it the other; one
 * that is no host, or empty.
 */
export function hostOf(request: IncomingMessage, { authority }: Target): string | undefined {
  const fields = request.headersDistinct['host'] ?? [];
  if (fields.length > 1) return undefined;
  const host = authority ?? fields[0];
  if (host === undefined) return '';
  return HOST.test(host) ? host : undefined;
}
