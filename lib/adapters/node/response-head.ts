// The head that http.ServerResponse writes, as status and fields. Pure.

export interface ResponseHead {
  readonly status: number;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Whether the body behind it is in chunks (RFC 9112, 7.1): the listener has set Transfer-Encoding by itself. */
  readonly chunked: boolean;
}

const STATUS = /^HTTP\/1\.1 (\d{3})/;

/** Of `HTTP/1.1 200 OK\r\nName: value\r\n...\r\n`. Throws SyntaxError for what is none: Node has written it. */
export function parseHead(text: string): ResponseHead {
  const status = STATUS.exec(text)?.[1];
  if (status === undefined) throw new SyntaxError('this is no head of an HTTP/1.1 response');
  const fields: [string, string][] = [];
  let chunked = false;
  const lines = text.split('\r\n');
  for (let at = 1; at < lines.length; at++) {
    const line = lines[at] as string;
    if (line === '') break;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).trim();
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') chunked = /\bchunked\b/i.test(value);
    else fields.push([name, value]);
  }
  return { status: Number(status), fields, chunked };
}
