// What a RecordParser hands on, in a form that does not depend on how the input was cut.

import { DATA, PARAMS, ProtocolError, RecordParser, recordName, type Side } from '../../lib/protocol/index.ts';

/** Records as `TYPE id hex`; the pieces of a stream that follow one another are one. */
export type Collected = string[];

const isStream = (type: number): boolean => type >= PARAMS && type <= DATA;

/** Parse the chunks one after the other. Throws what the parser throws. */
export function collect(side: Side, chunks: Iterable<Buffer>, options?: { maxManagementBytes?: number }): Collected {
  const collected: Collected = [];
  parseInto(collected, side, chunks, options);
  return collected;
}

/** As `collect`; but a ProtocolError ends the list with its code. Anything else that is thrown is thrown on. */
export function outcome(side: Side, chunks: Iterable<Buffer>): Collected {
  const collected: Collected = [];
  try {
    parseInto(collected, side, chunks);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    collected.push(error.code);
  }
  return collected;
}

function parseInto(
  collected: Collected,
  side: Side,
  chunks: Iterable<Buffer>,
  options?: { maxManagementBytes?: number },
): void {
  let open: string | undefined; // the stream that the next piece may go on
  const parser = new RecordParser(
    side,
    (type, id, chunk, start, end) => {
      const key = `${recordName(type)} ${id}`;
      const hex = chunk.toString('hex', start, end);
      if (hex !== '' && open === key) collected[collected.length - 1] += hex;
      else collected.push(hex === '' ? key : `${key} ${hex}`);
      open = isStream(type) && hex !== '' ? key : undefined;
    },
    options,
  );
  for (const chunk of chunks) parser.push(chunk);
}

/** A record by hand, not with the writer under test. */
export function record(type: number, id: number, content: Buffer | string, padding: Buffer | number = 0): Buffer {
  const body = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const pad = typeof padding === 'number' ? Buffer.alloc(padding) : padding;
  const header = Buffer.from([1, type, id >> 8, id & 255, body.length >> 8, body.length & 255, pad.length, 0]);
  return Buffer.concat([header, body, pad]);
}

/** Bytes from hex with spaces. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** The input in two chunks, cut at `at`. */
export const cutAt = (input: Buffer, at: number): Buffer[] => [input.subarray(0, at), input.subarray(at)];

/** The input byte by byte. */
export const bytewise = (input: Buffer): Buffer[] => Array.from(input, (_, at) => input.subarray(at, at + 1));
