// An http.ServerResponse for a request that came by FastCGI: no connection of its own to keep, nothing to frame.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestSocket } from './request-socket.ts';

export function serverResponse(incoming: IncomingMessage, socket: RequestSocket): ServerResponse {
  const response = new ServerResponse(incoming);
  // The web server frames the answer and keeps its own connection; a Content-Length is set where it is known, as always.
  response.removeHeader('Connection');
  response.removeHeader('Transfer-Encoding');
  response.sendDate = false; // it is the web server's
  (response as unknown as Internals)._storeHeader = storeHeader;
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
  _removedTE: boolean;
  _storeHeader(firstLine: string, headers: unknown): void;
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
