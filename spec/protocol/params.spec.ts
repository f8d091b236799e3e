// PARAMS as they arrive: pairs cut by records, and records cut by reads (specification 3.3, 3.4, Appendix B.2).

import * as fc from 'fast-check';

import {
  PARAMS,
  PairReader,
  RecordParser,
  encodePairs,
  encodeStreamEnd,
  streamBuffers,
} from '../../lib/protocol/index.ts';
import { bytewise, cutAt, hex, record } from '../support/collect-records.ts';

type Pairs = [name: string, value: string][];

/** The pairs of one PARAMS stream. */
function readParams(chunks: Iterable<Buffer>): Pairs {
  const reader = new PairReader();
  let pairs: Pairs | undefined;
  const parser = new RecordParser('application', (type, _id, chunk, start, end) => {
    if (type !== PARAMS) throw new Error(`type ${type}`);
    if (start === end) pairs = [...reader.finish()];
    else reader.push(chunk, start, end);
  });
  for (const chunk of chunks) parser.push(chunk);
  if (pairs === undefined) throw new Error('the stream did not end');
  return pairs;
}

const SERVER: Pairs = [
  ['SERVER_PORT', '80'],
  ['SERVER_ADDR', '199.170.183.42'],
];

test('Appendix B, example 2: a pair cut between two records', () => {
  const bytes = hex(`
    01 04 0001 0010 00 00  0b 02 5345525645525f504f5254 3830 0b
    01 04 0001 001a 00 00  0e 5345525645525f41444452 3139392e3137302e3138332e3432
    01 04 0001 0000 00 00`);
  expect(readParams([bytes])).toEqual(SERVER);
  expect(readParams(bytewise(bytes))).toEqual(SERVER);
});

test('cut by records at every byte, and by reads at every byte', () => {
  const content = encodePairs([...SERVER, ['EMPTY', ''], ['LONG', 'v'.repeat(130)]]);
  for (let at = 1; at < content.length; at++) {
    const [first, second] = cutAt(content, at) as [Buffer, Buffer];
    const bytes = Buffer.concat([record(PARAMS, 1, first, 3), record(PARAMS, 1, second), encodeStreamEnd(PARAMS, 1)]);
    const expected = [...SERVER, ['EMPTY', ''], ['LONG', 'v'.repeat(130)]];
    for (const chunks of [[bytes], bytewise(bytes), cutAt(bytes, at), cutAt(bytes, at + 8)]) {
      expect(readParams(chunks)).toEqual(expected);
    }
  }
});

test('in records of one byte each', () => {
  const pairs: Pairs = [...SERVER, ['LONG', 'v'.repeat(300)]];
  const records = bytewise(encodePairs(pairs)).map((byte, at) => record(PARAMS, 1, byte, at % 4));
  const bytes = Buffer.concat([...records, encodeStreamEnd(PARAMS, 1)]);
  expect(readParams([bytes])).toEqual(pairs);
  expect(readParams(bytewise(bytes))).toEqual(pairs);
});

test('an empty stream has no pairs', () => {
  expect(readParams([encodeStreamEnd(PARAMS, 1)])).toEqual([]);
});

test('of more than one record', () => {
  const pairs: Pairs = [['COOKIE', 'c'.repeat(70_000)], ...SERVER, ['HTTP_X', 'x'.repeat(65_528)]];
  const bytes = Buffer.concat([...streamBuffers(PARAMS, 1, encodePairs(pairs)), encodeStreamEnd(PARAMS, 1)]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70_000 }), (size) => {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      );
      expect(readParams(chunks)).toEqual(pairs);
    }),
    { numRuns: 50 },
  );
});
