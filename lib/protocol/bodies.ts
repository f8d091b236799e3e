// The bodies of fixed shape: BEGIN_REQUEST, END_REQUEST, UNKNOWN_TYPE (5.1, 5.5, 4.2).

import { KEEP_CONN } from './constants.ts';
import { ProtocolError } from './protocol-error.ts';

/** BEGIN_REQUEST (5.1). Unknown flag bits and the reserved bytes are ignored. */
export interface BeginRequestBody {
  role: number;
  keepConn: boolean;
}

/** END_REQUEST (5.5). `appStatus` is a 32-bit unsigned number, `protocolStatus` 0 to 255. */
export interface EndRequestBody {
  appStatus: number;
  protocolStatus: number;
}

function expect8(name: string, start: number, end: number): void {
  if (end - start !== 8) throw new ProtocolError('BAD_LENGTH', `${name} body of ${end - start} bytes, 8 are right`);
}

/** Decode `chunk[start, end)`. Throws ProtocolError `BAD_LENGTH` unless it has 8 bytes. */
export function decodeBeginRequest(chunk: Buffer, start: number, end: number): BeginRequestBody {
  expect8('BEGIN_REQUEST', start, end);
  return { role: chunk.readUInt16BE(start), keepConn: ((chunk[start + 2] as number) & KEEP_CONN) !== 0 };
}

/** Decode `chunk[start, end)`. Throws ProtocolError `BAD_LENGTH` unless it has 8 bytes. */
export function decodeEndRequest(chunk: Buffer, start: number, end: number): EndRequestBody {
  expect8('END_REQUEST', start, end);
  return { appStatus: chunk.readUInt32BE(start), protocolStatus: chunk[start + 4] as number };
}

/** The type that the peer did not know. Throws ProtocolError `BAD_LENGTH` unless the body has 8 bytes. */
export function decodeUnknownType(chunk: Buffer, start: number, end: number): number {
  expect8('UNKNOWN_TYPE', start, end);
  return chunk[start] as number;
}
