// A Response's body as what it mostly is: bytes that are all there. Only the rest goes on as a stream.

import type { StreamBody } from '../../app/index.ts';

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Step = Awaited<ReturnType<Reader['read']>>;

const READS = 2; // the bytes of text, of JSON, of a buffer are one piece, then comes the end
const NOTHING = Promise.resolve();
const TURNS = 12; // of the microtask queue; the platform needs half of that

/**
 * The bytes, where the stream ends without waiting for anything, so that they can be sent in one go and with their length; else
 * the stream. Rejects where it errs at once. Reads no more than one piece ahead.
 */
export async function bodyAtOnce(stream: ReadableStream<Uint8Array>): Promise<Uint8Array | StreamBody> {
  const reader = stream.getReader();
  const steps: Promise<Step>[] = [];
  let piece: Uint8Array | undefined;
  for (let reads = 0; reads < READS; reads++) {
    const reading = reader.read();
    const step = await soon(reading);
    if (step?.done) return piece ?? new Uint8Array();
    steps.push(reading);
    if (step === undefined) break;
    piece = step.value;
  }
  return restOf(reader, steps);
}

/** What a promise is settled with within TURNS; undefined where it is not. */
async function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  promise.then(settle, settle);
  for (let turn = 0; turn < TURNS && !settled; turn++) await NOTHING;
  return settled ? promise : undefined;
}

/** `steps`: those that have been asked for, the next ones first. */
function restOf(reader: Reader, steps: Promise<Step>[]): StreamBody {
  const iterator: AsyncIterator<Uint8Array> = {
    next: async () => {
      const step = await (steps.shift() ?? reader.read());
      return step.done ? { value: undefined, done: true } : step;
    },
    return: async () => {
      await reader.cancel();
      return { value: undefined, done: true };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
