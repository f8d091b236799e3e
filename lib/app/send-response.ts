// Sends an HttpResponse through a FastCGI response: one write where the body is there, else piece by piece.

import { formatResponseHead, isBodyless } from '../cgi/index.ts';
import type { Request, Response as Outgoing } from '../server/index.ts';
import type { HttpHeaders } from './http-headers.ts';
import type { HttpResponse, StreamBody } from './http-response.ts';
import { iterateUntilAborted } from './iterate-until-aborted.ts';
import { messageOf } from './message-of.ts';
import { discard } from './stream-source.ts';
import { encodeText, isAscii } from './text-bytes.ts';

/** What is asked of a request whose answer is streamed. */
type Abortable = Pick<Request, 'aborted' | 'signal'>;

/**
 * Resolves (or returns, where nothing had to be waited for) when the answer has been handed to the connection, with the
 * error that broke a streamed body off, if one did. `method`: the client's. Throws ResponseHeadError where the head cannot
 * be sent, TypeError for a body that is none; then nothing has been sent. Never rejects.
 */
export function sendResponse(
  response: HttpResponse,
  method: string,
  incoming: Abortable,
  outgoing: Outgoing,
  maxHeadBytes: number,
): undefined | Promise<unknown> {
  const { status, headers } = response;
  const body = response.body ?? '';
  if (isBodyless(status)) {
    headers.delete('Content-Length');
    if (status === 204) headers.delete('Content-Type');
    outgoing.send(formatResponseHead(status, headers.fields, maxHeadBytes), '');
    discard(body);
    return undefined;
  }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    sendWhole(response, body, method, outgoing, maxHeadBytes);
    return undefined;
  }
  if (typeof body !== 'object' || !(Symbol.asyncIterator in body)) {
    throw new TypeError('the body of a response is text, bytes (Uint8Array) or an async iterable of them');
  }
  const length = announcedLength(headers);
  const head = formatResponseHead(status, withType(response, 'application/octet-stream'), maxHeadBytes);
  if (method === 'HEAD') {
    outgoing.send(head, '');
    discard(body);
    return undefined;
  }
  outgoing.start(head);
  return stream(body, length, incoming, outgoing);
}

function sendWhole(
  response: HttpResponse,
  body: string | Uint8Array,
  method: string,
  outgoing: Outgoing,
  maxHeadBytes: number,
): void {
  const pieces = typeof body === 'string' && !isAscii(body) ? encodeText(body) : undefined;
  const length = pieces === undefined ? body.length : pieces.reduce((sum, piece) => sum + piece.length, 0);
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream';
  const fields = length > 0 ? withType(response, type) : response.headers.fields;
  setLength(response, length, method);
  const appStatus = response.unexpected ? 1 : 0;
  const head = formatResponseHead(response.status, fields, maxHeadBytes);
  if (method === 'HEAD') outgoing.send(head, '', appStatus);
  else if (pieces === undefined || pieces.length === 1) outgoing.send(head, pieces?.[0] ?? body, appStatus);
  else {
    outgoing.start(head);
    for (const piece of pieces) outgoing.write(piece);
    outgoing.end(appStatus);
  }
}

/** Every answer with a body has a type: without one browsers guess, and guess HTML. */
function withType(response: HttpResponse, type: string): string[] {
  const { headers } = response;
  if (response.typed && !headers.has('Content-Type')) headers.fields.unshift('Content-Type', type);
  return headers.fields;
}

/** The length is known, so it is said: without it a cut answer looks whole. The answer to a HEAD may say another one. */
function setLength(response: HttpResponse, length: number, method: string): void {
  const { headers } = response;
  if (!headers.has('Content-Length')) headers.fields.push('Content-Length', String(length));
  else if (method !== 'HEAD') headers.set('Content-Length', String(length));
}

/** Content-Length in bytes, where it was given. Throws TypeError for one that the web server could not use. */
function announcedLength(headers: HttpHeaders): number | undefined {
  const [length, ...more] = headers.getAll('Content-Length');
  if (length === undefined) return undefined;
  if (more.length > 0 || !/^\d{1,15}$/.test(length)) throw new TypeError('Content-Length is not one number of bytes');
  return Number(length);
}

async function stream(
  body: StreamBody,
  length: number | undefined,
  incoming: Abortable,
  outgoing: Outgoing,
): Promise<unknown> {
  let sent = 0;
  try {
    for await (const piece of iterateUntilAborted(body, incoming.signal)) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      sent += bytes.length;
      if (length !== undefined && sent > length) throw lengthError('more', length);
      if (!outgoing.write(bytes)) await outgoing.drained();
    }
    if (incoming.aborted) return incoming.signal.reason;
    if (length !== undefined && sent < length) throw lengthError('less', length);
    outgoing.end();
    return undefined;
  } catch (error) {
    outgoing.stderr(`the body of an answer broke off: ${messageOf(error)}`);
    outgoing.cut();
    return error;
  }
}

function lengthError(relation: 'more' | 'less', length: number): Error {
  return new Error(`the body has ${relation} than the ${length} bytes of its Content-Length`);
}
