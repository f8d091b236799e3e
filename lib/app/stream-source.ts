// StreamSource: the pieces of a stream, with a way to give up what is left at any time.

import type { Body } from './http-response.ts';

/** `giveUp` frees what the stream holds (a file, a connection, a query), even while a piece of it is waited for. */
export interface StreamSource<T> {
  next(): Promise<IteratorResult<T>>;
  giveUp(): void;
}

interface NodeStream {
  destroy(): unknown;
  on(event: 'error', listener: () => void): unknown;
}

/** Throws TypeError where the stream is being read by somebody else already. */
export function sourceOf<T>(stream: AsyncIterable<T>): StreamSource<T> {
  if (isWebStream<T>(stream)) {
    const reader = stream.getReader();
    return {
      next: () => reader.read() as Promise<IteratorResult<T>>,
      giveUp: () => ignoreFailure(() => reader.cancel()),
    };
  }
  const iterator = stream[Symbol.asyncIterator]();
  return {
    next: () => iterator.next(),
    giveUp: () => {
      // Its iterator's return() does nothing before the first piece, and waits for a piece that is on its way.
      if (isNodeStream(stream)) stream.on('error', () => {}).destroy();
      ignoreFailure(() => iterator.return?.());
    },
  };
}

/** Free a body that nobody will read, where it is a stream. */
export function discard(body: Body): void {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return;
  try {
    sourceOf(body).giveUp();
  } catch {
    // Whoever is reading it frees it.
  }
}

function ignoreFailure(work: () => PromiseLike<unknown> | undefined): void {
  try {
    work()?.then(undefined, () => {}); // not awaited: a generator that waits returns only when that has come
  } catch {
    // as well
  }
}

function isWebStream<T>(stream: object): stream is ReadableStream<T> {
  return 'getReader' in stream && typeof stream.getReader === 'function';
}

function isNodeStream(stream: object): stream is { on(...args: Parameters<NodeStream['on']>): NodeStream } {
  return (
    'destroy' in stream && typeof stream.destroy === 'function' && 'on' in stream && typeof stream.on === 'function'
  );
}
