// The bodies of a request on their way out, piece by piece, as fast as the application takes them.

import { encodeStreamEnd, streamBuffers } from '../protocol/index.ts';
import type { Connection } from './connection.ts';
import { piecesOf, type Upload } from './request.ts';

/**
 * Send each body and its end. `goesOn` is asked before and after each piece; false stops it all. Resolves with whether
 * everything was sent; rejects with what an iterable threw.
 */
export async function sendUploads(
  connection: Connection,
  id: number,
  uploads: readonly Upload[],
  goesOn: () => boolean,
): Promise<boolean> {
  for (const { type, body } of uploads) {
    for await (const piece of piecesOf(body)) {
      if (!goesOn()) return false;
      if (piece.length > 0 && !connection.write(streamBuffers(type, id, piece))) await connection.drained();
      if (!goesOn()) return false;
    }
    if (!goesOn()) return false;
    connection.write([encodeStreamEnd(type, id)]);
  }
  return true;
}
