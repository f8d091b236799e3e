// What the specs use of fastcgi-stream 1.0.0, typed: an independent FastCGI peer, on either side.
//
// It pads by `length % 8`, decodes each PARAMS record alone, gives a pair with an empty value as its bare name, and dies
// of record types it does not know: the specs ask of it only what it supports.

import { createRequire } from 'node:module';
import type { Duplex } from 'node:stream';

/** A pair, or the bare name where the value is empty. */
export type PeerPair = [name: string, value: string] | string;

/** A decoded record; which of the fields it has depends on its TYPE. */
export interface PeerRecord {
  readonly TYPE: number;
  readonly role?: number;
  readonly flags?: number;
  readonly params?: PeerPair[];
  readonly values?: PeerPair[];
  readonly data?: Buffer;
  readonly appStatus?: number;
  readonly protocolStatus?: number;
  readonly type?: number;
}

type RecordClass<Arguments extends unknown[]> = new (...values: Arguments) => PeerRecord;

interface PeerStream {
  on(event: 'record', listener: (id: number, record: PeerRecord) => void): this;
  writeRecord(id: number, record: PeerRecord, callback?: () => void): boolean;
}

interface FastCGIStreamModule {
  readonly FastCGIStream: new (stream: Duplex) => PeerStream;
  readonly records: {
    readonly BeginRequest: RecordClass<[role: number, flags: number]>;
    readonly AbortRequest: RecordClass<[]>;
    readonly EndRequest: RecordClass<[appStatus: number, protocolStatus: number]>;
    readonly Params: RecordClass<[pairs?: PeerPair[]]>;
    readonly StdIn: RecordClass<[data?: string | Buffer]>;
    readonly StdOut: RecordClass<[data?: string | Buffer]>;
    readonly StdErr: RecordClass<[data?: string | Buffer]>;
    readonly Data: RecordClass<[data?: string | Buffer]>;
    readonly GetValues: RecordClass<[names?: string[]]>;
    readonly GetValuesResult: RecordClass<[pairs?: PeerPair[]]>;
    readonly UnknownType: RecordClass<[type: number]>;
  };
}

const load = createRequire(__filename);
const peer: FastCGIStreamModule = load('fastcgi-stream') as FastCGIStreamModule;

export const FastCGIStream: FastCGIStreamModule['FastCGIStream'] = peer.FastCGIStream;
export const records: FastCGIStreamModule['records'] = peer.records;

/** The pairs of a record as tuples. */
export function pairsOf(pairs: PeerPair[] | undefined): [string, string][] {
  return (pairs ?? []).map((pair) => (typeof pair === 'string' ? [pair, ''] : pair));
}
