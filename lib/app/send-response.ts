// Sends an HttpResponse through a FastCGI response: one write where the body is there, else piece by piece.

import { formatResponseHead, isBodyless } from '../cgi/index.ts';
import type { Request, Response as Outgoing } from '../server/index.ts';
import type { HttpResponse, StreamBody } from './http-response.ts';
import { iterateUntilAborted } from './iterate-until-aborted.ts';

/**
 * Resolves (or returns, where nothing had to be waited for) when the answer has been handed to the connection, with the
 * error that broke a streamed body off, if one did. Throws ResponseHeadError where the head cannot be sent.
 */
export function sendResponse(
  response: HttpResponse,
  method: string,
  incoming: Request,
  outgoing: Outgoing,
): undefined | Promise<unknown> {
  const { status, body } = response;
  const { fields } = response.headers;
  if (isBodyless(status)) {
    response.headers.delete('Content-Length');
    if (status === 204) response.headers.delete('Content-Type');
    outgoing.send(formatResponseHead(status, fields), '');
    return discardStream(body);
  }
  if (typeof body === 'object' && !(body instanceof Uint8Array)) {
    if (method === 'HEAD') {
      outgoing.send(formatResponseHead(status, withType(response, 'application/octet-stream')), '');
      return discardStream(body);
    }
    return stream(response, body, incoming, outgoing);
  }
  sendWhole(response, body ?? '', method, outgoing);
  return undefined;
}

function sendWhole(response: HttpResponse, body: string | Uint8Array, method: string, outgoing: Outgoing): void {
  let bytes: string | Uint8Array = body;
  let length = body.length;
  if (typeof body === 'string') {
    length = Buffer.byteLength(body);
    if (length !== body.length) bytes = Buffer.from(body); // not ASCII
  }
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream';
  const fields = length > 0 ? withType(response, type) : response.headers.fields;
  setLength(response, length, method);
  const appStatus = response.unexpected ? 1 : 0;
  outgoing.send(formatResponseHead(response.status, fields), method === 'HEAD' ? '' : bytes, appStatus);
}

/** Every answer with a body has a type: without one browsers guess, and guess HTML. */
function withType(response: HttpResponse, type: string): string[] {
  const { headers } = response;
  if (!headers.has('Content-Type')) headers.fields.unshift('Content-Type', type);
  return headers.fields;
}

/** The length is known, so it is said: without it a cut answer looks whole. The answer to a HEAD may say another one. */
function setLength(response: HttpResponse, length: number, method: string): void {
  const { headers } = response;
  if (!headers.has('Content-Length')) headers.fields.push('Content-Length', String(length));
  else if (method !== 'HEAD') headers.set('Content-Length', String(length));
}

async function stream(
  response: HttpResponse,
  body: StreamBody,
  incoming: Request,
  outgoing: Outgoing,
): Promise<unknown> {
  const announced = response.headers.get('Content-Length');
  const expected = announced === undefined ? undefined : Number(announced);
  let sent = 0;
  outgoing.start(formatResponseHead(response.status, withType(response, 'application/octet-stream')));
  try {
    for await (const piece of iterateUntilAborted(body, incoming.signal)) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      sent += bytes.length;
      if (expected !== undefined && sent > expected) throw lengthError(sent, expected);
      if (!outgoing.write(bytes)) await outgoing.drained();
    }
    if (incoming.aborted) return undefined;
    if (expected !== undefined && sent < expected) throw lengthError(sent, expected);
    outgoing.end();
    return undefined;
  } catch (error) {
    outgoing.stderr(`the body of an answer broke off: ${error instanceof Error ? error.message : String(error)}`);
    outgoing.cut();
    return error;
  }
}

function lengthError(sent: number, expected: number): Error {
  return new Error(
    `the body has ${sent > expected ? 'more' : 'less'} than the ${expected} bytes of its Content-Length`,
  );
}

/** A body that is not wanted may hold a file or a query open. */
function discardStream(body: HttpResponse['body']): undefined {
  if (typeof body === 'object' && Symbol.asyncIterator in body) {
    const iterator = body[Symbol.asyncIterator]();
    iterator.return?.()?.then(undefined, () => {}); // whatever it says, nobody waits for it
  }
  return undefined;
}
