// The head that http.ServerResponse writes, as status and fields. Pure.

export interface ResponseHead {
  readonly status: number;
  /** Names and values in turn. */
  readonly fields: readonly string[];
  /** Whether the body behind it is in chunks (RFC 9112, 7.1): the listener has set Transfer-Encoding by itself. */
  readonly chunked: boolean;
  /** Whether it has a Content-Length. */
  readonly hasLength: boolean;
}

const STATUS = /^HTTP\/1\.1 (\d{3})/;
const LINE_END = '\r\n';

/** Of `HTTP/1.1 200 OK\r\nName: value\r\n...\r\n`. Throws SyntaxError for what is none: Node has written it. */
export function parseHead(text: string): ResponseHead {
  const status = STATUS.exec(text)?.[1];
  if (status === undefined) throw new SyntaxError('this is no head of an HTTP/1.1 response');
  const fields: string[] = [];
  let chunked = false;
  let hasLength = false;
  let end = text.indexOf(LINE_END);
  for (;;) {
    const from = end + LINE_END.length;
    end = text.indexOf(LINE_END, from);
    if (end <= from) break;
    const colon = text.indexOf(':', from);
    const name = text.slice(from, colon);
    const value = trimmed(text, colon + 1, end);
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') chunked = /\bchunked\b/i.test(value);
    else {
      hasLength ||= name.length === 14 && name.toLowerCase() === 'content-length';
      fields.push(name, value);
    }
  }
  return { status: Number(status), fields, chunked, hasLength };
}

/** A field's value without what may stand around it (RFC 9110, 5.5): blanks and tabs. A byte A0 is part of it. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
