// replayInput(): a body that has been read, as a stream for who comes after.

import type { InputStream } from '../../server/index.ts';
import { HttpError } from '../http-error.ts';

/** The bytes as one piece, once. Rejects as they do; HttpError 413 is for more than `bytes` is to give. */
export function replayInput(bytes: Promise<Buffer>): InputStream {
  let left: Promise<Buffer> | undefined = bytes;
  const read = async (): Promise<Buffer | undefined> => {
    const piece = left;
    left = undefined;
    return piece;
  };
  return {
    read,
    bytes: async (maxBytes) => {
      const all = (await read()) ?? Buffer.alloc(0);
      if (all.length <= maxBytes) return all;
      throw new HttpError(413, `the body has more than ${maxBytes} bytes`);
    },
    async *[Symbol.asyncIterator]() {
      const piece = await read();
      if (piece !== undefined) yield piece;
    },
  };
}
