// timeout(): 504 where no answer came in time.

import { HttpError } from '../http-error.ts';
import type { HttpResponse } from '../http-response.ts';
import type { Middleware } from '../pipeline.ts';
import { discard } from '../stream-source.ts';

const MAX = 2 ** 31 - 1; // what a timer can wait

/**
 * Answer with 504 where the layers within have not answered after `ms` milliseconds. `request.signal` aborts then, so that they
 * can stop; what they answer later is dropped. The time is that to the answer: the body of a stream may take longer.
 * request_finished does not wait for the late handler. The server's `requestTimeout` bounds the whole of every answer. Throws RangeError for a time that no timer can wait.
 */
export function timeout(ms: number): Middleware {
  if (!(ms > 0 && ms <= MAX)) throw new RangeError(`timeout: ${ms} is not 0 to ${MAX} ms`);
  return (request, next) => {
    const answer = next(request);
    if (!(answer instanceof Promise)) return answer;
    return new Promise<HttpResponse>((resolve, reject) => {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        const error = new HttpError(504, `no answer within ${ms} ms`);
        reject(error);
        request.cancel(error);
      }, ms);
      answer.then(
        (response) => {
          clearTimeout(timer);
          if (late) discard(response.body);
          else resolve(response);
        },
        (error: Error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
  };
}
