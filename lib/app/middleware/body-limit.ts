// bodyLimit(): how much body a request may have.

import { HttpError } from '../http-error.ts';
import type { Middleware } from '../pipeline.ts';

/**
 * Answer with 413 where the body has more than `bytes`: at once where Content-Length says so, else when it is read, whole or as
 * a stream. It replaces the 1 MiB for bodies read whole, so it may also allow more. Of several the smallest counts. Throws
 * RangeError for what is no number of bytes.
 */
export function bodyLimit(bytes: number): Middleware {
  if (!(bytes >= 0)) throw new RangeError(`bodyLimit: ${bytes} is no number of bytes`);
  return (request, next) => {
    const { contentLength } = request;
    if (contentLength !== undefined && contentLength > bytes) {
      throw new HttpError(413, `the body has more than ${bytes} bytes`);
    }
    request.maxStreamBytes = Math.min(bytes, request.maxStreamBytes);
    request.maxBodyBytes = request.maxStreamBytes;
    return next(request);
  };
}
