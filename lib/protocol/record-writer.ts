// Records as bytes: headers, bodies and streams, ready for one write (3.3). Reserved and padding bytes are always zero.

import {
  ABORT_REQUEST,
  BEGIN_REQUEST,
  END_REQUEST,
  GET_VALUES,
  GET_VALUES_RESULT,
  HEADER_LENGTH,
  KEEP_CONN,
  MAX_CONTENT_LENGTH,
  MAX_PADDING_LENGTH,
  NULL_REQUEST_ID,
  UNKNOWN_TYPE,
  VERSION,
} from './constants.ts';
import { encodePairs } from './name-values.ts';

/** Streams are cut here: the largest multiple of 8 that a record can carry, so that aligned writers need no padding. */
export const STREAM_RECORD_LENGTH = 65_528;

/** Lengths that do not fit their field would be cut, and the rest of the record read as records (3.3). */
function checkLengths(contentLength: number, paddingLength: number): void {
  if (contentLength > MAX_CONTENT_LENGTH) throw new RangeError(`contentLength ${contentLength} is over 65,535`);
  if (paddingLength > MAX_PADDING_LENGTH) throw new RangeError(`paddingLength ${paddingLength} is over 255`);
}

/** A record's header as a latin1 string, for building text answers in one string. */
export function headerText(type: number, id: number, contentLength: number, paddingLength = 0): string {
  checkLengths(contentLength, paddingLength);
  return String.fromCharCode(
    VERSION,
    type,
    id >>> 8,
    id & 0xff,
    contentLength >>> 8,
    contentLength & 0xff,
    paddingLength,
    0,
  );
}

/** Write a record's header into `target` at `offset`; returns the offset behind it. */
export function writeHeader(
  target: Buffer,
  offset: number,
  type: number,
  id: number,
  contentLength: number,
  paddingLength = 0,
): number {
  checkLengths(contentLength, paddingLength);
  target[offset] = VERSION;
  target[offset + 1] = type;
  target[offset + 2] = id >>> 8;
  target[offset + 3] = id & 0xff;
  target[offset + 4] = contentLength >>> 8;
  target[offset + 5] = contentLength & 0xff;
  target[offset + 6] = paddingLength;
  target[offset + 7] = 0;
  return offset + HEADER_LENGTH;
}

/** One record. `paddingLength`: 0 to 255 zero bytes behind the content. Throws RangeError for lengths that do not fit. */
export function encodeRecord(type: number, id: number, content: Uint8Array, paddingLength = 0): Buffer {
  const record = Buffer.alloc(HEADER_LENGTH + content.length + paddingLength);
  writeHeader(record, 0, type, id, content.length, paddingLength);
  record.set(content, HEADER_LENGTH);
  return record;
}

/** BEGIN_REQUEST (5.1). */
export function encodeBeginRequest(id: number, role: number, keepConn: boolean): Buffer {
  return encodeRecord(
    BEGIN_REQUEST,
    id,
    Buffer.from([role >>> 8, role & 0xff, keepConn ? KEEP_CONN : 0, 0, 0, 0, 0, 0]),
  );
}

/** ABORT_REQUEST (5.4). */
export function encodeAbortRequest(id: number): Buffer {
  return encodeRecord(ABORT_REQUEST, id, Buffer.alloc(0));
}

/** END_REQUEST (5.5). */
export function encodeEndRequest(id: number, appStatus: number, protocolStatus: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32BE(appStatus >>> 0, 0);
  body[4] = protocolStatus;
  return encodeRecord(END_REQUEST, id, body);
}

/** UNKNOWN_TYPE (4.2), the answer to a management record of a type that is not understood. */
export function encodeUnknownType(type: number): Buffer {
  return encodeRecord(UNKNOWN_TYPE, NULL_REQUEST_ID, Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]));
}

/** GET_VALUES (4.1). Throws RangeError over 65,535 bytes: management is one record, not a stream. */
export function encodeGetValues(names: Iterable<string>): Buffer {
  return encodeRecord(GET_VALUES, NULL_REQUEST_ID, encodePairs([...names].map((name) => [name, ''] as const)));
}

/** GET_VALUES_RESULT (4.1). */
export function encodeGetValuesResult(values: Iterable<readonly [string, string]>): Buffer {
  return encodeRecord(GET_VALUES_RESULT, NULL_REQUEST_ID, encodePairs(values));
}

/**
 * Content of a stream (PARAMS, STDIN, STDOUT, STDERR, DATA) as records of at most 65,528 bytes, as the buffers to
 * write one behind the other: headers are new, the content is not copied. Empty content gives nothing, for an empty
 * record would end the stream. With `align`, records are padded to a multiple of 8 bytes.
 */
export function streamBuffers(type: number, id: number, content: Buffer, align = false): Buffer[] {
  const buffers: Buffer[] = [];
  for (let at = 0; at < content.length; at += STREAM_RECORD_LENGTH) {
    const piece = content.length <= STREAM_RECORD_LENGTH ? content : content.subarray(at, at + STREAM_RECORD_LENGTH);
    const padding = align ? -piece.length & 7 : 0;
    const header = Buffer.allocUnsafe(HEADER_LENGTH);
    writeHeader(header, 0, type, id, piece.length, padding);
    buffers.push(header, piece);
    if (padding > 0) buffers.push(Buffer.alloc(padding));
  }
  return buffers;
}

/** The empty record that ends a stream (3.3). */
export function encodeStreamEnd(type: number, id: number): Buffer {
  const record = Buffer.allocUnsafe(HEADER_LENGTH);
  writeHeader(record, 0, type, id, 0);
  return record;
}
