// A body stream that breaks off with 413 when more comes than may.

import type { InputStream } from '../../server/index.ts';
import { HttpError } from '../http-error.ts';

/** `input` as it is up to `maxBytes`; beyond that reading rejects with HttpError 413. */
export function limitInput(input: InputStream, maxBytes: number): InputStream {
  let left = maxBytes;
  const read = async (): Promise<Buffer | undefined> => {
    const piece = left < 0 ? undefined : await input.read();
    left -= piece?.length ?? 0;
    if (left < 0) throw new HttpError(413, `the body has more than ${maxBytes} bytes`);
    return piece;
  };
  return {
    read,
    bytes: (wanted) => input.bytes(Math.min(wanted, Math.max(left, 0))),
    async *[Symbol.asyncIterator]() {
      for (let piece = await read(); piece !== undefined; piece = await read()) yield piece;
    },
  };
}
