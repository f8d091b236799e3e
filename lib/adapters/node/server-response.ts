// An http.ServerResponse for a request that came by FastCGI: no connection of its own to keep, nothing to frame.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestSocket } from './request-socket.ts';
import type { Done } from './writes.ts';

export function serverResponse(incoming: IncomingMessage, socket: RequestSocket): ServerResponse {
  const response = new ServerResponse(incoming);
  // The web server frames the answer and keeps its own connection; a Content-Length is set where it is known, as always.
  response.removeHeader('Connection');
  response.removeHeader('Transfer-Encoding');
  response.sendDate = false; // it is the web server's
  const internals = response as unknown as Internals;
  internals._storeHeader = storeHeader;
  internals._send = send;
  response.assignSocket(socket as unknown as Socket);
  return response;
}

/** The socket has room again: as Node's own server does it, for who has been told to wait. */
export function passDrain(response: ServerResponse): void {
  if (response.writableEnded || !response.writableNeedDrain) return;
  const flag = Object.getOwnPropertySymbols(response).find(({ description }) => description === 'kNeedDrain');
  if (flag !== undefined) (response as unknown as Record<symbol, boolean>)[flag] = false;
  response.emit('drain');
}

interface Internals {
  readonly socket: RequestSocket | null;
  readonly _header: string | null;
  _headerSent: boolean;
  _removedTE: boolean;
  _send: typeof send;
  _storeHeader(firstLine: string, headers: unknown): void;
  _writeRaw(data: string | Uint8Array, encoding?: BufferEncoding | null, done?: Done, length?: number): boolean;
}

/**
 * Node puts the head and the first text behind it together; they have to be parted again, which copies them. The head goes by
 * itself here, and `encoding` is what it would have been written in.
 */
function send(
  this: Internals,
  data: string | Uint8Array,
  encoding?: BufferEncoding | null,
  done?: Done,
  length?: number,
): boolean {
  if (!this._headerSent && this._header !== null && this.socket !== null) {
    this._headerSent = true;
    const together = typeof data === 'string' && (!encoding || encoding === 'utf8' || encoding === 'latin1');
    this.socket.head(this._header, together ? (encoding ?? 'utf8') : 'latin1');
  }
  return this._writeRaw(data, encoding, done, length);
}

/** Node makes the head. Trailers may be announced for a body in chunks only (RFC 9110, 6.6.2), so then Node makes chunks. */
function storeHeader(this: Internals, firstLine: string, headers: unknown): void {
  const prototype = ServerResponse.prototype as unknown as Internals;
  try {
    prototype._storeHeader.call(this, firstLine, headers);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_HTTP_TRAILER_INVALID' || !this._removedTE) throw error;
    this._removedTE = false;
    prototype._storeHeader.call(this, firstLine, headers);
  }
}
