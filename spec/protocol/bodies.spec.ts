// The bodies of fixed shape (specification 4.2, 5.1, 5.5), and what constants are called.

import {
  ProtocolError,
  decodeBeginRequest,
  decodeEndRequest,
  decodeUnknownType,
  encodeBeginRequest,
  encodeEndRequest,
  encodeUnknownType,
  recordName,
} from '../../lib/protocol/index.ts';
import { hex } from '../support/collect-records.ts';

test.each([
  ['0001 00 0000000000', { role: 1, keepConn: false }],
  ['0002 01 0000000000', { role: 2, keepConn: true }],
  ['ffff fe ffffffffff', { role: 65_535, keepConn: false }],
  ['0000 ff 0102030405', { role: 0, keepConn: true }],
])('BEGIN_REQUEST %s; unknown flags and reserved bytes mean nothing', (bytes, body) => {
  const chunk = Buffer.concat([hex('ee'), hex(bytes), hex('ee')]);
  expect(decodeBeginRequest(chunk, 1, 9)).toEqual(body);
});

test.each([
  ['00000000 00 000000', { appStatus: 0, protocolStatus: 0 }],
  ['ffffffff 03 000000', { appStatus: 4_294_967_295, protocolStatus: 3 }],
  ['80000001 ff ffffff', { appStatus: 2_147_483_649, protocolStatus: 255 }],
])('END_REQUEST %s', (bytes, body) => {
  expect(decodeEndRequest(hex(bytes), 0, 8)).toEqual(body);
});

test('UNKNOWN_TYPE', () => {
  expect(decodeUnknownType(hex('63 01020304050607'), 0, 8)).toBe(99);
});

test.each([0, 7, 9, 16])('a body of %i bytes is refused', (length) => {
  for (const decode of [decodeBeginRequest, decodeEndRequest, decodeUnknownType]) {
    expect(() => decode(Buffer.alloc(20), 2, 2 + length)).toThrow(ProtocolError);
    expect(() => decode(Buffer.alloc(20), 2, 2 + length)).toThrow(` body of ${length} bytes, 8 are right`);
    expect(() => decode(Buffer.alloc(20), 2, 2 + length)).toThrow(expect.objectContaining({ code: 'BAD_LENGTH' }));
  }
});

test('what is written is what is read', () => {
  for (const role of [0, 1, 2, 3, 255, 256, 65_535]) {
    for (const keepConn of [true, false]) {
      expect(decodeBeginRequest(encodeBeginRequest(1, role, keepConn), 8, 16)).toEqual({ role, keepConn });
    }
  }
  for (const appStatus of [0, 1, 255, 65_536, 2 ** 31, 2 ** 32 - 1]) {
    for (const protocolStatus of [0, 1, 2, 3, 255]) {
      const body = { appStatus, protocolStatus };
      expect(decodeEndRequest(encodeEndRequest(1, appStatus, protocolStatus), 8, 16)).toEqual(body);
    }
  }
  for (const type of [0, 12, 255]) expect(decodeUnknownType(encodeUnknownType(type), 8, 16)).toBe(type);
});

test('records are called what the specification calls them', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(recordName)).toEqual([
    'BEGIN_REQUEST',
    'ABORT_REQUEST',
    'END_REQUEST',
    'PARAMS',
    'STDIN',
    'STDOUT',
    'STDERR',
    'DATA',
    'GET_VALUES',
    'GET_VALUES_RESULT',
    'UNKNOWN_TYPE',
  ]);
  expect([0, 12, 255].map(recordName)).toEqual(['type 0', 'type 12', 'type 255']);
});
