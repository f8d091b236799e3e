// Records as bytes (specification 3.3, 4 and 5).

import * as fc from 'fast-check';

import {
  DATA,
  PARAMS,
  RESPONDER,
  STDERR,
  STDIN,
  STDOUT,
  STREAM_RECORD_LENGTH,
  encodeAbortRequest,
  encodeBeginRequest,
  encodeEndRequest,
  encodeGetValues,
  encodeGetValuesResult,
  encodeRecord,
  encodeStreamEnd,
  encodeUnknownType,
  headerText,
  streamBuffers,
  writeHeader,
} from '../../lib/protocol/index.ts';
import { collect, hex, record } from '../support/collect-records.ts';

describe('in hex', () => {
  test.each<[what: string, bytes: Buffer, expected: string]>([
    ['BEGIN_REQUEST', encodeBeginRequest(1, RESPONDER, false), '01 01 0001 0008 00 00  0001 00 0000000000'],
    ['BEGIN_REQUEST, kept', encodeBeginRequest(65_535, 3, true), '01 01 ffff 0008 00 00  0003 01 0000000000'],
    [
      'BEGIN_REQUEST, an unknown role',
      encodeBeginRequest(256, 0x1234, true),
      '01 01 0100 0008 00 00  1234 01 0000000000',
    ],
    ['ABORT_REQUEST', encodeAbortRequest(255), '01 02 00ff 0000 00 00'],
    ['END_REQUEST', encodeEndRequest(1, 0, 0), '01 03 0001 0008 00 00  00000000 00 000000'],
    ['END_REQUEST, the highest', encodeEndRequest(1, 0xffffffff, 3), '01 03 0001 0008 00 00  ffffffff 03 000000'],
    ['END_REQUEST, a negative exit status', encodeEndRequest(1, -1, 0), '01 03 0001 0008 00 00  ffffffff 00 000000'],
    ['the end of PARAMS', encodeStreamEnd(PARAMS, 1), '01 04 0001 0000 00 00'],
    ['STDIN', encodeRecord(STDIN, 1, Buffer.from('hi')), '01 05 0001 0002 00 00  6869'],
    ['STDIN, padded', encodeRecord(STDIN, 1, Buffer.from('hi'), 6), '01 05 0001 0002 06 00  6869 000000000000'],
    ['STDOUT', Buffer.concat(streamBuffers(STDOUT, 2, Buffer.from('x'))), '01 06 0002 0001 00 00  78'],
    [
      'STDOUT, aligned',
      Buffer.concat(streamBuffers(STDOUT, 2, Buffer.from('x'), true)),
      '01 06 0002 0001 07 00  78 00000000000000',
    ],
    [
      'STDERR',
      Buffer.concat(streamBuffers(STDERR, 2, Buffer.from('12345678'), true)),
      '01 07 0002 0008 00 00  3132333435363738',
    ],
    ['DATA', encodeRecord(DATA, 1, Buffer.alloc(0)), '01 08 0001 0000 00 00'],
    [
      'GET_VALUES',
      encodeGetValues(['FCGI_MAX_CONNS', 'A']),
      '01 09 0000 0013 00 00  0e 00 464347495f4d41585f434f4e4e53  01 00 41',
    ],
    ['GET_VALUES_RESULT', encodeGetValuesResult([['A', '1']]), '01 0a 0000 0004 00 00  01 01 41 31'],
    ['GET_VALUES_RESULT, empty', encodeGetValuesResult([]), '01 0a 0000 0000 00 00'],
    ['UNKNOWN_TYPE', encodeUnknownType(99), '01 0b 0000 0008 00 00  63 00000000000000'],
    ['a header as text', Buffer.from(headerText(STDOUT, 0xabcd, 0x1234, 0xfe), 'latin1'), '01 06 abcd 1234 fe 00'],
  ])('%s', (_what, bytes, expected) => {
    expect(bytes.toString('hex')).toBe(hex(expected).toString('hex'));
  });

  test('writeHeader writes where it is told, and nowhere else', () => {
    const target = Buffer.alloc(12, 0xee);
    expect(writeHeader(target, 2, STDOUT, 258, 772, 5)).toBe(10);
    expect(target).toEqual(hex('eeee 01 06 0102 0304 05 00 eeee'));
  });
});

describe('lengths that do not fit their field are refused, never cut', () => {
  test.each<[what: string, write: () => unknown]>([
    ['content of 65,536 bytes', () => encodeRecord(STDOUT, 1, Buffer.alloc(65_536))],
    ['padding of 256 bytes', () => encodeRecord(STDOUT, 1, Buffer.alloc(1), 256)],
    ['a header for 65,536 bytes', () => writeHeader(Buffer.alloc(8), 0, STDOUT, 1, 65_536)],
    ['a header with 256 bytes of padding', () => writeHeader(Buffer.alloc(8), 0, STDOUT, 1, 0, 256)],
    ['a header as text for 65,536 bytes', () => headerText(STDOUT, 1, 65_536)],
    ['a header as text with 256 bytes of padding', () => headerText(STDOUT, 1, 0, 256)],
    ['GET_VALUES of more than one record', () => encodeGetValues([`A`.repeat(65_536)])],
    ['GET_VALUES_RESULT of more than one record', () => encodeGetValuesResult([['A', 'b'.repeat(65_536)]])],
  ])('%s', (_what, write) => {
    expect(write).toThrow(RangeError);
  });

  test('65,535 and 255 do fit', () => {
    expect(encodeRecord(STDOUT, 1, Buffer.alloc(65_535), 255)).toHaveLength(8 + 65_535 + 255);
  });
});

describe('streams', () => {
  test('content of any length comes out as it was put in, in records of at most 65,535 bytes', () => {
    const lengths = fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc.constantFrom(1, 2, 3).chain((n) => fc.integer({ min: -9, max: 9 }).map((d) => n * STREAM_RECORD_LENGTH + d)),
      fc.integer({ min: 0, max: 1024 * 1024 }),
    );
    fc.assert(
      fc.property(lengths, fc.boolean(), fc.integer({ min: 1, max: 65_535 }), (length, align, id) => {
        const fake = record(1, 7, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])); // content that looks like records
        const content = Buffer.alloc(length, fake);
        const buffers = streamBuffers(STDIN, id, content, align);
        const bytes = Buffer.concat(buffers);
        for (let at = 0; at < bytes.length;) {
          const size = bytes.readUInt16BE(at + 4);
          expect(size).toBeGreaterThan(0);
          expect((size + bytes.readUInt8(at + 6)) % 8).toBe(align ? 0 : size % 8);
          at += 8 + size + bytes.readUInt8(at + 6);
        }
        expect(collect('application', [bytes])).toEqual(length === 0 ? [] : [`STDIN ${id} ${content.toString('hex')}`]);
      }),
      { numRuns: 60 },
    );
  });

  test('content is not copied', () => {
    const content = Buffer.alloc(200_000);
    const pieces = streamBuffers(STDOUT, 1, content).filter(({ buffer }) => buffer === content.buffer);
    expect(pieces.map(({ length }) => length)).toEqual([65_528, 65_528, 65_528, 3416]);
  });

  test('empty content gives no record: that would end the stream', () => {
    expect(streamBuffers(STDOUT, 1, Buffer.alloc(0))).toEqual([]);
    expect(streamBuffers(STDOUT, 1, Buffer.alloc(0), true)).toEqual([]);
  });
});

describe('reserved and padding bytes are zero, whatever the memory held before', () => {
  const dirty = (size: number): Buffer<ArrayBuffer> => Buffer.alloc(size, 0xa5);

  beforeEach(() => {
    jest.spyOn(Buffer, 'allocUnsafe').mockImplementation(dirty);
    jest.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation(dirty);
  });
  afterEach(() => jest.restoreAllMocks());

  test.each<[what: string, write: () => Buffer]>([
    ['BEGIN_REQUEST', () => encodeBeginRequest(1, 1, true)],
    ['ABORT_REQUEST', () => encodeAbortRequest(1)],
    ['END_REQUEST', () => encodeEndRequest(1, 1, 1)],
    ['a stream end', () => encodeStreamEnd(STDOUT, 1)],
    ['a padded record', () => encodeRecord(STDOUT, 1, Buffer.alloc(1, 1), 255)],
    ['aligned streams', () => Buffer.concat(streamBuffers(STDOUT, 1, Buffer.alloc(65_529, 1), true))],
    ['GET_VALUES', () => encodeGetValues(['A'])],
    ['GET_VALUES_RESULT', () => encodeGetValuesResult([['A', '1']])],
    ['UNKNOWN_TYPE', () => encodeUnknownType(1)],
    [
      'a header into dirty memory',
      () => {
        const target = Buffer.allocUnsafe(8);
        writeHeader(target, 0, STDOUT, 1, 1);
        return target;
      },
    ],
  ])('%s', (_what, write) => {
    expect(write()).not.toContain(0xa5);
  });
});
