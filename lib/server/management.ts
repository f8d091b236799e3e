// Answers to management records, which concern the connection and no request (specification 4).

import {
  encodeGetValuesResult,
  encodeUnknownType,
  GET_VALUES,
  MAX_CONNS,
  MAX_REQS,
  MPXS_CONNS,
  PairReader,
  UNKNOWN_TYPE,
} from '../protocol/index.ts';
import type { Settings } from './options.ts';

/**
 * The answer to a management record (request id 0), or undefined where none is due: an UNKNOWN_TYPE is not answered.
 * Throws ProtocolError for a GET_VALUES whose pairs are cut.
 */
export function answerManagement(
  type: number,
  chunk: Buffer,
  start: number,
  end: number,
  settings: Settings,
): Buffer | undefined {
  if (type === GET_VALUES) return encodeGetValuesResult(valuesAskedFor(chunk, start, end, settings));
  if (type === UNKNOWN_TYPE) return undefined;
  return encodeUnknownType(type); // GET_VALUES_RESULT is ours to send, and thus as unknown as 12 to 255
}

/** Whether a record of this type is a management record: all but BEGIN_REQUEST to DATA. */
export function isManagement(type: number): boolean {
  return type === 0 || type >= GET_VALUES;
}

/** The values that were asked for and are understood, each once (4.1). */
function valuesAskedFor(chunk: Buffer, start: number, end: number, settings: Settings): [string, string][] {
  const reader = new PairReader();
  reader.push(chunk, start, end);
  const known = new Map([
    [MAX_CONNS, decimal(settings.maxConnections)],
    [MAX_REQS, decimal(settings.maxActiveRequests)],
    [MPXS_CONNS, settings.multiplex ? '1' : '0'],
  ]);
  const asked = new Set([...reader.finish()].map(([name]) => name));
  return [...known].filter(([name]) => asked.has(name));
}

/** What a web server can read into an int, of a bound that may be Infinity. */
function decimal(bound: number): string {
  return String(Math.min(Math.floor(bound), 2 ** 31 - 1));
}
