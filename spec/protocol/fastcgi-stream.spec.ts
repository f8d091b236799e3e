// The codec against fastcgi-stream, an independent one, in both directions and for all it supports.

import { Duplex } from 'node:stream';

import * as fc from 'fast-check';

import {
  BEGIN_REQUEST,
  END_REQUEST,
  GET_VALUES,
  GET_VALUES_RESULT,
  PARAMS,
  PairReader,
  RecordParser,
  STDERR,
  STDIN,
  STDOUT,
  UNKNOWN_TYPE,
  decodeBeginRequest,
  decodeEndRequest,
  decodeUnknownType,
  encodeAbortRequest,
  encodeBeginRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeGetValuesResult,
  encodePairs,
  encodeRecord,
  encodeStreamEnd,
  encodeUnknownType,
  recordName,
  streamBuffers,
  type Side,
} from '../../lib/protocol/index.ts';
import { bytewise } from '../support/collect-records.ts';
import { FastCGIStream, pairsOf, records, type PeerRecord } from '../support/fastcgi-stream.ts';

type Seen = [type: string, id: number, content: unknown];

/** What the peer reads in the bytes. */
function readByPeer(bytes: Buffer): Seen[] {
  const seen: Seen[] = [];
  const stream = new Duplex({ read: () => {} });
  new FastCGIStream(stream).on('record', (id, record) => seen.push([recordName(record.TYPE), id, contentOf(record)]));
  stream.emit('data', bytes);
  return seen;
}

/** The bytes that the peer writes. */
function writtenByPeer(all: readonly (readonly [id: number, record: PeerRecord])[]): Buffer {
  const written: Buffer[] = [];
  const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
    written.push(chunk);
    done();
  };
  const peer = new FastCGIStream(new Duplex({ read: () => {}, write }));
  for (const [id, record] of all) peer.writeRecord(id, record);
  return Buffer.concat(written);
}

function contentOf(record: PeerRecord): unknown {
  if (record.TYPE === BEGIN_REQUEST) return { role: record.role, keepConn: record.flags === 1 };
  if (record.TYPE === END_REQUEST) return { appStatus: record.appStatus, protocolStatus: record.protocolStatus };
  if (record.TYPE === UNKNOWN_TYPE) return record.type;
  if (record.params) return pairsOf(record.params);
  if (record.values) return pairsOf(record.values);
  return record.data?.toString('latin1') ?? '';
}

/** What we read in the bytes, in the peer's terms. */
function readByUs(side: Side, chunks: Iterable<Buffer>): Seen[] {
  const seen: Seen[] = [];
  const parser = new RecordParser(side, (type, id, chunk, start, end) => {
    seen.push([recordName(type), id, decoded(type, chunk, start, end)]);
  });
  for (const chunk of chunks) parser.push(chunk);
  return seen;
}

function decoded(type: number, chunk: Buffer, start: number, end: number): unknown {
  if (type === BEGIN_REQUEST) return decodeBeginRequest(chunk, start, end);
  if (type === END_REQUEST) return decodeEndRequest(chunk, start, end);
  if (type === UNKNOWN_TYPE) return decodeUnknownType(chunk, start, end);
  if (type === PARAMS || type === GET_VALUES || type === GET_VALUES_RESULT) {
    const reader = new PairReader();
    reader.push(chunk, start, end);
    return [...reader.finish()];
  }
  return chunk.toString('latin1', start, end);
}

const word = fc.string({
  unit: fc.constantFrom(...Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ_')),
  minLength: 1,
  maxLength: 140,
});
const value = fc.oneof(
  word,
  fc.constantFrom(126, 127, 128, 129, 1000).map((length) => 'v'.repeat(length)),
);
const pairs = fc.array(fc.tuple(word, value), { minLength: 1, maxLength: 10 });
const ids = fc.integer({ min: 1, max: 65_535 });
const payload = fc.uint8Array({ minLength: 1, maxLength: 5000 }).map((bytes) => Buffer.from(bytes));

describe('the peer reads what we write', () => {
  test('a request', () => {
    fc.assert(
      fc.property(ids, fc.constantFrom(1, 2, 3), fc.boolean(), pairs, payload, (id, role, keepConn, params, body) => {
        const request = Buffer.concat([
          encodeBeginRequest(id, role, keepConn),
          encodeRecord(PARAMS, id, encodePairs(params)),
          encodeStreamEnd(PARAMS, id),
          ...streamBuffers(STDIN, id, body),
          encodeStreamEnd(STDIN, id),
          encodeAbortRequest(id),
          encodeGetValues(['FCGI_MAX_CONNS', 'FCGI_MPXS_CONNS']),
        ]);
        expect(readByPeer(request)).toEqual([
          ['BEGIN_REQUEST', id, { role, keepConn }],
          ['PARAMS', id, params],
          ['PARAMS', id, []],
          ['STDIN', id, body.toString('latin1')],
          ['STDIN', id, ''],
          ['ABORT_REQUEST', id, ''],
          ['GET_VALUES', 0, [['FCGI_MAX_CONNS', ''], ['FCGI_MPXS_CONNS', '']]], // prettier-ignore
        ]);
      }),
    );
  });

  test('a response, padded or not', () => {
    fc.assert(
      fc.property(
        ids,
        payload,
        fc.boolean(),
        fc.nat(0x7fffffff),
        fc.nat(3),
        (id, body, align, appStatus, protocolStatus) => {
          const response = Buffer.concat([
            ...streamBuffers(STDOUT, id, body, align),
            ...streamBuffers(STDERR, id, body, align),
            encodeStreamEnd(STDOUT, id),
            encodeEndRequest(id, appStatus, protocolStatus),
            encodeGetValuesResult([['FCGI_MPXS_CONNS', '1']]),
            encodeUnknownType(77),
          ]);
          expect(readByPeer(response)).toEqual([
            ['STDOUT', id, body.toString('latin1')],
            ['STDERR', id, body.toString('latin1')],
            ['STDOUT', id, ''],
            ['END_REQUEST', id, { appStatus, protocolStatus }],
            ['GET_VALUES_RESULT', 0, [['FCGI_MPXS_CONNS', '1']]],
            ['UNKNOWN_TYPE', 0, 77],
          ]);
        },
      ),
    );
  });
});

describe('we read what the peer writes', () => {
  test('a request', () => {
    fc.assert(
      fc.property(ids, fc.constantFrom(1, 2, 3), fc.boolean(), pairs, payload, (id, role, keepConn, params, body) => {
        const bytes = writtenByPeer([
          [id, new records.BeginRequest(role, keepConn ? 1 : 0)],
          [id, new records.Params(params)],
          [id, new records.Params()],
          [id, new records.StdIn(body)],
          [id, new records.StdIn()],
          [id, new records.Data('file')],
          [id, new records.AbortRequest()],
          [0, new records.GetValues(['FCGI_MAX_CONNS'])],
        ]);
        const expected: Seen[] = [
          ['BEGIN_REQUEST', id, { role, keepConn }],
          ['PARAMS', id, params],
          ['PARAMS', id, []],
          ['STDIN', id, body.toString('latin1')],
          ['STDIN', id, ''],
          ['DATA', id, 'file'],
          ['ABORT_REQUEST', id, ''],
          ['GET_VALUES', 0, [['FCGI_MAX_CONNS', '']]],
        ];
        expect(readByUs('application', [bytes])).toEqual(expected);
      }),
    );
  });

  test('a response', () => {
    fc.assert(
      fc.property(ids, payload, fc.nat(0x7fffffff), fc.nat(3), (id, body, appStatus, protocolStatus) => {
        const bytes = writtenByPeer([
          [id, new records.StdOut(body)],
          [id, new records.StdErr(body)],
          [id, new records.StdOut()],
          [id, new records.EndRequest(appStatus, protocolStatus)],
          [0, new records.GetValuesResult([['FCGI_MAX_REQS', '50']])],
          [0, new records.UnknownType(200)],
        ]);
        expect(readByUs('web-server', [bytes])).toEqual([
          ['STDOUT', id, body.toString('latin1')],
          ['STDERR', id, body.toString('latin1')],
          ['STDOUT', id, ''],
          ['END_REQUEST', id, { appStatus, protocolStatus }],
          ['GET_VALUES_RESULT', 0, [['FCGI_MAX_REQS', '50']]],
          ['UNKNOWN_TYPE', 0, 200],
        ]);
      }),
    );
  });

  test('a large request, byte by byte', () => {
    const params = Array.from({ length: 50 }, (_, i): [string, string] => [`HTTP_X_${i}`, 'v'.repeat(i * 10 + 1)]);
    const bytes = writtenByPeer([
      [7, new records.BeginRequest(1, 1)],
      [7, new records.Params(params)],
      [7, new records.Params()],
      [7, new records.StdIn('x'.repeat(3000))],
      [7, new records.StdIn()],
    ]);
    const reader = new PairReader();
    const seen: string[] = [];
    const parser = new RecordParser('application', (type, _id, chunk, start, end) => {
      if (type === PARAMS) reader.push(chunk, start, end);
      if (type === STDIN) seen.push(chunk.toString('latin1', start, end));
    });
    for (const byte of bytewise(bytes)) parser.push(byte);
    expect([...reader.finish()]).toEqual(params);
    expect(seen).toEqual([...Array<string>(3000).fill('x'), '']);
  });
});
