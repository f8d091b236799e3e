// Name-value pairs, written and read (specification 3.4 and Appendix B.2).

import * as fc from 'fast-check';

import { encodePairs, NameValues, PairReader, ProtocolError, type PairLimits } from '../../lib/protocol/index.ts';
import { bytewise, cutAt, hex } from '../support/collect-records.ts';

type Pairs = [name: string, value: string][];

function read(chunks: Iterable<Buffer>, limits?: PairLimits): NameValues {
  const reader = new PairReader(limits);
  for (const chunk of chunks) reader.push(chunk, 0, chunk.length);
  return reader.finish();
}

/** The pairs, or the ProtocolError's code. */
function outcome(chunks: Iterable<Buffer>, limits?: PairLimits): Pairs | string {
  try {
    return [...read(chunks, limits)];
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}

/** Every way of cutting the input in two, and byte by byte. */
const cuts = (input: Buffer): Buffer[][] => [
  [input],
  bytewise(input),
  ...Array.from({ length: input.length + 1 }, (_, at) => cutAt(input, at)),
];

const long = (text: string, length: number): string => text.padEnd(length, text);

describe('every form of lengths, in hex', () => {
  test.each<[what: string, bytes: string, pairs: Pairs]>([
    ['nothing', '', []],
    ['11: both short', '04 04 50415448 2f6f6e65', [['PATH', '/one']]],
    ['14: a long value', `01 80000080 41 ${'62'.repeat(128)}`, [['A', long('b', 128)]]],
    ['41: a long name', `80000080 01 ${'41'.repeat(128)} 62`, [[long('A', 128), 'b']]],
    ['44: both long', `80000081 80000100 ${'41'.repeat(129)} ${'62'.repeat(256)}`, [[long('A', 129), long('b', 256)]]],
    ['the long form of short lengths', '80000001 80000002 41 6263', [['A', 'bc']]],
    ['the long form of nothing', '80000000 80000000', [['', '']]],
    ['an empty value', '02 00 4142', [['AB', '']]],
    ['an empty name', '00 02 6162', [['', 'ab']]],
    ['nothing at all', '00 00', [['', '']]],
    ['127 in the short form', `7f 7f ${'41'.repeat(127)} ${'62'.repeat(127)}`, [[long('A', 127), long('b', 127)]]],
    [
      'the same name twice',
      '01 01 41 31  01 01 41 32',
      [
        ['A', '1'],
        ['A', '2'],
      ],
    ],
    ['bytes that are no text', '02 04 00ff 80c328ff', [['\0\xff', '\x80\xc3(\xff']]],
  ])('%s', (_what, bytes, pairs) => {
    const input = hex(bytes);
    for (const chunks of cuts(input)) expect([...read(chunks)]).toEqual(pairs);
  });

  test.each<[pairs: Pairs, bytes: string]>([
    [[], ''],
    [[['PATH', '/one']], '04 04 50415448 2f6f6e65'],
    [[['', '']], '00 00'],
    [[['A', long('b', 127)]], `01 7f 41 ${'62'.repeat(127)}`],
    [[['A', long('b', 128)]], `01 80000080 41 ${'62'.repeat(128)}`],
    [[[long('A', 128), '']], `80000080 00 ${'41'.repeat(128)}`],
    [[['A', '\xff\0']], '01 02 41 ff00'],
    [[['A', long('b', 0x010203)]], `01 80010203 41 ${'62'.repeat(0x010203)}`],
  ])('are written as the specification says (%#)', (pairs, bytes) => {
    expect(encodePairs(pairs)).toEqual(hex(bytes));
  });
});

describe('any pairs', () => {
  const bytes = fc
    .oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom(126, 127, 128, 129, 255, 256, 300).map((length) => new Uint8Array(length).fill(length)),
    )
    .map((raw) => Buffer.from(raw).toString('latin1'));
  const pairs = fc.array(fc.tuple(bytes, bytes), { maxLength: 20 });

  test('come out as they were put in, cut anywhere', () => {
    fc.assert(
      fc.property(pairs, fc.nat(), fc.nat(), (given, first, second) => {
        const input = encodePairs(given);
        const [a, b] = [first % (input.length + 1), second % (input.length + 1)].sort((x, y) => x - y) as [
          number,
          number,
        ];
        expect([...read([input])]).toEqual(given);
        expect([...read([input.subarray(0, a), input.subarray(a, b), input.subarray(b)])]).toEqual(given);
        expect([...read(bytewise(input))]).toEqual(given);
      }),
      { numRuns: 300 },
    );
  });

  test('get gives the last of a name, has whether there is one', () => {
    fc.assert(
      fc.property(pairs, bytes, (given, other) => {
        const values = read([encodePairs(given)]);
        const map = new Map(given);
        for (const name of [...map.keys(), other, '__proto__', 'constructor']) {
          expect(values.get(name)).toBe(map.get(name));
          expect(values.has(name)).toBe(map.has(name));
        }
      }),
    );
  });

  test('mutated ones give the same outcome cut anywhere, a ProtocolError at worst, and no byte from elsewhere', () => {
    fc.assert(
      fc.property(
        pairs,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        fc.nat(),
        (given, changes, cut) => {
          const input = encodePairs(given);
          for (const [at, value] of changes) if (input.length > 0) input[at % input.length] = value;
          const surrounded = Buffer.concat([Buffer.from('CANARY'), input, Buffer.from('CANARY')]);
          const limits = { maxBytes: 4096, maxPairs: 15 };
          const result = outcome([input], limits);
          expect(outcome(bytewise(input), limits)).toEqual(result);
          expect(outcome(cutAt(input, cut % (input.length + 1)), limits)).toEqual(result);
          const reader = new PairReader(limits);
          let inside: Pairs | string;
          try {
            reader.push(surrounded, 6, 6 + input.length);
            inside = [...reader.finish()];
          } catch (error) {
            inside = (error as ProtocolError).code;
          }
          expect(inside).toEqual(result);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('random bytes never throw anything but ProtocolError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        const input = Buffer.from(random);
        expect(outcome(bytewise(input))).toEqual(outcome([input]));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('bounds', () => {
  test.each([
    ['a name of 2 GiB', 'ffffffff 00'],
    ['a name of 2 GiB, before its value is known', 'ffffffff'],
    ['a value of 2 GiB', '01 ffffffff 41'],
    ['both', 'ffffffff ffffffff'],
    ['0x7fffffff bytes of name', 'ffffffff 01 41'],
    ['a name just over the bound', '80100001 00'],
  ])('%s is refused when its length is read, without room made for it', (_what, bytes) => {
    const spies = [
      jest.spyOn(Buffer, 'alloc'),
      jest.spyOn(Buffer, 'allocUnsafe'),
      jest.spyOn(Buffer, 'allocUnsafeSlow'),
    ];
    try {
      expect(outcome([hex(bytes)])).toBe('TOO_LARGE');
      expect(outcome(bytewise(hex(bytes)))).toBe('TOO_LARGE');
      const sizes = spies.flatMap((spy) => spy.mock.calls.map(([size]) => size));
      expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(1024);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  test('maxBytes bounds the whole stream, length bytes included', () => {
    const input = encodePairs([['AB', 'cd'], ['EF', 'gh']]); // prettier-ignore
    expect(outcome([input], { maxBytes: 12 })).toHaveLength(2);
    for (const chunks of cuts(input)) expect(outcome(chunks, { maxBytes: 11 })).toBe('TOO_LARGE');
  });

  test('maxBytes bounds the stream, wherever in larger chunks its pieces lie', () => {
    const input = encodePairs([['AB', 'cd'], ['EF', 'ghij']]); // prettier-ignore
    const chunk = Buffer.concat([Buffer.alloc(100, 0xff), input, Buffer.alloc(100, 0xff)]);
    const end = 100 + input.length;
    for (let cut = 100; cut <= end; cut++) {
      const readWith = (maxBytes: number): NameValues => {
        const reader = new PairReader({ maxBytes });
        reader.push(chunk, 100, cut);
        reader.push(chunk, cut, end);
        return reader.finish();
      };
      expect([...readWith(input.length)]).toHaveLength(2);
      expect(() => readWith(input.length - 1)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }));
    }
  });

  test('maxPairs bounds their number', () => {
    const input = Buffer.alloc(2000); // a thousand empty pairs
    expect(outcome([input])).toHaveLength(1000);
    expect(outcome([Buffer.alloc(2002)])).toBe('TOO_MANY');
    expect(outcome(bytewise(Buffer.alloc(6)), { maxPairs: 2 })).toBe('TOO_MANY');
  });

  test.each([
    ['within a length', '80 00'],
    ['within the second length', '01 80 00 00'],
    ['within a name', '03 00 4142'],
    ['within a value', '01 03 41 4243'],
    ['after a whole pair', '01 01 41 42  01'],
  ])('a stream that ends %s is refused', (_what, bytes) => {
    for (const chunks of cuts(hex(bytes))) expect(outcome(chunks)).toBe('BAD_PAIR');
  });
});

test('one-byte pieces of a large stream take no more than linear time', () => {
  const given: Pairs = Array.from({ length: 900 }, (_, i) => [`HTTP_X_${i}`, long('v', 1000)]);
  const input = encodePairs(given);
  expect(input.length).toBeGreaterThan(900_000);
  expect([...read(bytewise(input))]).toEqual(given);
});

test('get joins all values of a name where a separator is given', () => {
  const values = read([encodePairs([['A', '1'], ['B', 'x'], ['A', '2'], ['A', '']])]); // prettier-ignore
  expect(values.get('A', ', ')).toBe('1, 2, ');
  expect(values.get('B', ', ')).toBe('x');
  expect(values.get('C', ', ')).toBeUndefined();
});

test('values can be made from text and read again and again', () => {
  const values = new NameValues('\x01\x01Ab');
  expect([...values]).toEqual([['A', 'b']]);
  expect([...values]).toEqual([['A', 'b']]);
});
