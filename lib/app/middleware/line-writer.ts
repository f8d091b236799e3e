// Writes lines to a stream, those of one turn of the event loop in one go.

import type { Writable } from 'node:stream';

const owned: WeakSet<Writable> = new WeakSet(); // streams whose errors have an owner here

/** A write for each line would cost as much as a small request. A stream whose reader is gone is given up in silence. */
export function lineWriter(stream: Writable): (line: string) => void {
  let text = '';
  const flush = (): void => {
    stream.write(text);
    text = '';
  };
  // Whoever reads the log may go; requests are still to be answered.
  if (!owned.has(stream)) stream.on('error', () => {});
  owned.add(stream);
  return (line) => {
    if (text === '') setImmediate(flush);
    text += `${line}\n`;
  };
}
