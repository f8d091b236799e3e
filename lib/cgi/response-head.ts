// The head of a CGI answer as text: Status and header fields (RFC 3875, section 6), safe to send to any web server.

import { reasonPhrase } from './status.ts';

/** A header's name or value, a status, or a head as a whole that must not be sent. `code` is stable. */
export class ResponseHeadError extends TypeError {
  readonly code: 'BAD_STATUS' | 'BAD_HEADER_NAME' | 'BAD_HEADER_VALUE' | 'HEAD_TOO_LARGE';

  constructor(code: ResponseHeadError['code'], message: string) {
    super(message);
    this.name = 'ResponseHeadError';
    this.code = code;
  }
}

const TOKEN_CHARS = new Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"); // RFC 9110, 5.6.2
const IS_TOKEN_CHAR: readonly boolean[] = Array.from({ length: 128 }, (_, code) =>
  TOKEN_CHARS.has(String.fromCharCode(code)),
);

// Loops, because every field of every answer is checked and a regular expression takes several times as long to get going.

function isToken(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (IS_TOKEN_CHAR[name.charCodeAt(i)] !== true) return false;
  return name !== '';
}

/** No controls but TAB, and nothing beyond latin1. */
function isSafeValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f || code > 0xff) return false;
  }
  return true;
}

// Connection's business between the web server and its client, never a CGI program's (RFC 9110, 7.6.1; RFC 3875, 6.3.5);
// and Status, which is not a header field but the head's own first line.
const NOT_OURS = /^(?:connection|keep-alive|proxy-connection|status|te|trailer|transfer-encoding|upgrade)$/i;
const NOT_OURS_BEGIN = 'ckpstuCKPSTU';

/**
 * Throws ResponseHeadError `BAD_HEADER_NAME` or `BAD_HEADER_VALUE` for a field that would break the head: web servers
 * pass an injected line on as it stands.
 */
export function checkHeader(name: string, value: string): void {
  if (!isToken(name)) {
    throw new ResponseHeadError('BAD_HEADER_NAME', `${JSON.stringify(name)} is not a header name (RFC 9110, 5.6.2)`);
  }
  if (!isSafeValue(value)) {
    throw new ResponseHeadError(
      'BAD_HEADER_VALUE',
      `header ${name}: its value has a control character or one beyond latin1; percent-encode it`,
    );
  }
}

/** Whether a field is the web server's own business and therefore left out of the head: hop-by-hop ones and Status. */
export function isHopByHop(name: string): boolean {
  return NOT_OURS_BEGIN.includes(name.charAt(0)) && NOT_OURS.test(name);
}

/**
 * The head as latin1 text with its empty line: Status first, then the fields in their order.
 *
 * `status`: 200 to 599; a CGI program has no interim answers. `fields`: names and values that `checkHeader` passed, a
 * name after the other's value. `maxBytes`: bound on the whole; web servers answer 502 for larger ones (nginx: 4 or 8 KiB
 * by default). Throws ResponseHeadError `BAD_STATUS` or `HEAD_TOO_LARGE`.
 */
export function formatResponseHead(status: number, fields: readonly string[], maxBytes = 8192): string {
  let head = statusLine(status);
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  head += '\r\n';
  if (head.length > maxBytes) {
    throw new ResponseHeadError('HEAD_TOO_LARGE', `a response head of ${head.length} bytes, at most ${maxBytes}`);
  }
  return head;
}

const STATUS_200 = 'Status: 200 OK\r\n';

function statusLine(status: number): string {
  if (status === 200) return STATUS_200;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new ResponseHeadError('BAD_STATUS', `status ${status}: a CGI answer has 200 to 599`);
  }
  return `Status: ${status} ${reasonPhrase(status)}\r\n`;
}
