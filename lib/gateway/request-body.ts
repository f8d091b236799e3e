// The body of an HTTP request on its way to the application, and what is left of it afterwards.

import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

export interface SentBody {
  /** CONTENT_LENGTH: '' where there is no body. */
  readonly length: string;
  readonly stdin: Buffer | IncomingMessage | undefined;
}

/**
 * A body with a length streams; a chunked one is collected, since FastCGI wants the length first. Throws Problem 413; 501 for
 * other transfer codings, which nobody behind the gateway would undo, 400 for one by HTTP/1.0 (RFC 9112, 6.1).
 */
export async function bodyOf(request: IncomingMessage, maxChunkedBody: number): Promise<SentBody> {
  const { headers } = request;
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    if (request.httpVersionMinor === 0) throw new Problem(400, 'HTTP/1.0 has no Transfer-Encoding.');
    if (coding.toLowerCase() !== 'chunked') throw new Problem(501, `Bodies may come chunked, and not ${coding}.`);
    const bytes = await collected(request, maxChunkedBody);
    return { length: String(bytes.length), stdin: bytes };
  }
  const length = headers['content-length'] ?? '';
  return { length, stdin: Number(length) > 0 ? request : undefined };
}

async function collected(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > maxBytes) {
      throw new Problem(413, `A body without a length may have ${maxBytes} bytes, and this one has more.`, {
        advice: ['Send it with a Content-Length: then it streams, whatever its length.'],
      });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

/**
 * Read and drop what nobody wanted of a body: a client that is still sending must be able to read the answer, and the next request
 * comes behind it. Resolves when all has come, or the connection is closed, which it is after `waitMs`.
 */
export function discardRest(request: IncomingMessage, waitMs: number): Promise<void> {
  const { socket } = request;
  if (request.readableEnded || socket.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => socket.destroy(), waitMs);
    // By read(), not resume(): whoever was to send the body may still listen for 'readable', and nothing flows then.
    const read = (): void => {
      while (request.read() !== null);
    };
    const over = (): void => {
      clearTimeout(timer);
      request.off('readable', read);
      socket.off('close', over);
      resolve();
    };
    request.on('readable', read).once('end', over);
    socket.once('close', over); // a request whose answer is complete is not told of it
    read();
  });
}
