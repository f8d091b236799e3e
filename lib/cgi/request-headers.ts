// Request header fields from HTTP_* meta-variables (RFC 3875, 4.1.18).

import type { MetaVariables } from './request-target.ts';

// Not handed on as header fields: HTTP_PROXY would set a proxy for careless programs (httpoxy, CVE-2016-5385);
// Transfer-Encoding has been undone by the web server; the CONTENT_ ones are the web server's word, the HTTP_CONTENT_ ones
// the client's.
const DROPPED: ReadonlySet<string> = new Set([
  'HTTP_PROXY',
  'HTTP_TRANSFER_ENCODING',
  'HTTP_CONTENT_LENGTH',
  'HTTP_CONTENT_TYPE',
]);

/** The meta-variable that carries a header field: `Content-Type` is CONTENT_TYPE, others HTTP_ and the name. */
function variableOf(name: string): string {
  const upper = name.toUpperCase().replaceAll('-', '_');
  return upper === 'CONTENT_TYPE' || upper === 'CONTENT_LENGTH' ? upper : `HTTP_${upper}`;
}

/** One field's value by its name in any case; repeated fields are joined (RFC 9110, 5.3), Cookie's by `; ` (RFC 6265). */
export function requestHeader(variables: MetaVariables, name: string): string | undefined {
  const variable = variableOf(name);
  if (DROPPED.has(variable)) return undefined;
  const value = variables.get(variable, variable === 'HTTP_COOKIE' ? '; ' : ', ');
  return isAbsent(variable, value) ? undefined : value;
}

/** CONTENT_TYPE and CONTENT_LENGTH also come empty (nginx), or as -1 (Caddy), where the client sent no such field. */
function isAbsent(variable: string, value: string | undefined): boolean {
  return (value === '' && !variable.startsWith('HTTP_')) || (value === '-1' && variable === 'CONTENT_LENGTH');
}

/**
 * All fields, by lower-case name. Variables whose names are not of A to Z, 0 to 9 and `_` are no header fields: web servers
 * make only such names.
 */
export function requestHeaders(variables: MetaVariables): Map<string, string> {
  const headers = new Map<string, string>();
  eachHeader(variables, (name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : before + (name === 'cookie' ? '; ' : ', ') + value);
  });
  return headers;
}

/** The same as they came: names in lower case and values in turn, repeated ones one by one. */
export function requestHeaderLines(variables: MetaVariables): string[] {
  const lines: string[] = [];
  eachHeader(variables, (name, value) => lines.push(name, value));
  return lines;
}

const INITIALS = 'CH'; // of CONTENT_LENGTH, CONTENT_TYPE and HTTP_...

function eachHeader(variables: MetaVariables, visit: (name: string, value: string) => void): void {
  variables.each(INITIALS, (variable, value) => {
    const name = headerName(variable);
    if (name !== undefined && !isAbsent(variable, value)) visit(name, value);
  });
}

const KNOWN_MAX = 256; // clients choose names
/** Header names by variable: they are few, and each request has them again. */
const known: Map<string, string> = new Map();

function headerName(variable: string): string | undefined {
  if (!variable.startsWith('HTTP_')) {
    if (variable === 'CONTENT_TYPE') return 'content-type';
    return variable === 'CONTENT_LENGTH' ? 'content-length' : undefined;
  }
  let name = known.get(variable);
  if (name === undefined && !DROPPED.has(variable) && /^HTTP_[A-Z0-9_]+$/.test(variable)) {
    name = variable.slice(5).toLowerCase().replaceAll('_', '-');
    if (known.size < KNOWN_MAX) known.set(variable, name);
  }
  return name;
}
