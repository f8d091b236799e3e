// Iterates a stream that may be silent for ever, such as events, and leaves it when the request is aborted.

import { sourceOf } from './stream-source.ts';

/** Ends without an error when `signal` aborts, even while the stream's next piece is being waited for. */
export async function* iterateUntilAborted<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const source = sourceOf(stream);
  let leave: (() => void) | undefined;
  const onAbort = (): void => leave?.();
  signal.addEventListener('abort', onAbort);
  let finished = false;
  try {
    while (!signal.aborted) {
      const step = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        leave = () => resolve(undefined);
        source.next().then(resolve, (error: Error) => {
          finished = true;
          reject(error);
        });
      });
      if (step === undefined) break;
      if (step.done) {
        finished = true;
        break;
      }
      yield step.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!finished) source.giveUp();
  }
}
