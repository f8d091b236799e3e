// The body of a request as a web-standard stream.

import type { HttpRequest } from '../../app/index.ts';

/** Whether a body may come: none does with GET and HEAD, where a Request may have none, and none of length 0. */
export function mayHaveBody(method: string, request: HttpRequest): boolean {
  return request.contentLength !== 0 && method !== 'GET' && method !== 'HEAD';
}

/**
 * Nothing is read from the web server before it is asked for, nor beyond its window. Errs with the input's RequestError where
 * the body does not come whole, and with HttpError 413 beyond `maxStreamBytes`.
 */
export function bodyStream(request: HttpRequest): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      type: 'bytes',
      async pull(controller) {
        let piece = await request.body.read();
        while (piece?.length === 0) piece = await request.body.read();
        if (piece !== undefined) {
          controller.enqueue(new Uint8Array(piece)); // a copy: whoever gets it may hand its memory on
          return;
        }
        controller.close();
        controller.byobRequest?.respond(0);
      },
    },
    { highWaterMark: 0 },
  );
}
