// RecordParser: bytes in, records out (specification 3.3).

import * as fc from 'fast-check';

import { DATA, PARAMS, ProtocolError, RecordParser, recordName, type Side } from '../../lib/protocol/index.ts';
import { bytewise, collect, cutAt, hex, outcome, record } from '../support/collect-records.ts';

const SIDES: Side[] = ['application', 'web-server'];

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('every record type, in hex', () => {
  const cases: [what: string, side: Side, bytes: string, records: string[]][] = [
    [
      'BEGIN_REQUEST, responder, kept',
      'application',
      '01 01 0001 0008 00 00  0001 01 0000000000',
      ['BEGIN_REQUEST 1 0001010000000000'],
    ],
    [
      'BEGIN_REQUEST with reserved bytes and flags that mean nothing yet',
      'application',
      '01 01 ffff 0008 00 aa  0003 fe bbccddeeff',
      ['BEGIN_REQUEST 65535 0003febbccddeeff'],
    ],
    ['ABORT_REQUEST', 'application', '01 02 0001 0000 00 00', ['ABORT_REQUEST 1']],
    ['END_REQUEST', 'web-server', '01 03 0001 0008 00 00  000003aa 00 000000', ['END_REQUEST 1 000003aa00000000']],
    ['PARAMS', 'application', '01 04 0001 0004 00 00  01 01 41 42', ['PARAMS 1 01014142']],
    ['PARAMS, its end', 'application', '01 04 0001 0000 00 00', ['PARAMS 1']],
    ['STDIN with padding', 'application', '01 05 0100 0003 05 00  616263 0102030405', ['STDIN 256 616263']],
    ['STDIN, its end, with padding', 'application', '01 05 00ff 0000 02 00  ffff', ['STDIN 255']],
    ['STDOUT', 'web-server', '01 06 0001 0002 00 00  0d0a', ['STDOUT 1 0d0a']],
    ['STDERR', 'web-server', '01 07 0001 0001 00 00  21', ['STDERR 1 21']],
    ['DATA', 'application', '01 08 0001 0001 01 00  00 00', ['DATA 1 00']],
    [
      'GET_VALUES',
      'application',
      '01 09 0000 0010 00 00  0e 00 464347495f4d41585f434f4e4e53',
      ['GET_VALUES 0 0e00464347495f4d41585f434f4e4e53'],
    ],
    ['GET_VALUES, empty', 'application', '01 09 0000 0000 00 00', ['GET_VALUES 0']],
    ['GET_VALUES_RESULT', 'web-server', '01 0a 0000 0004 00 00  01 01 41 31', ['GET_VALUES_RESULT 0 01014131']],
    ['UNKNOWN_TYPE', 'web-server', '01 0b 0000 0008 00 00  63 00000000000000', ['UNKNOWN_TYPE 0 6300000000000000']],
    ['type 0, skipped', 'application', '01 00 0001 0003 02 00  010203 0405', ['type 0 1']],
    ['type 12, skipped', 'application', '01 0c 0000 0003 02 00  010203 0405', ['type 12 0']],
    ['type 255, skipped', 'web-server', '01 ff 1234 0003 02 00  010203 0405', ['type 255 4660']],
    ['a type of the other side, skipped', 'application', '01 03 0001 0001 00 00  ff', ['END_REQUEST 1']],
    ['a type of the other side, skipped', 'web-server', '01 01 0001 0002 00 00  ffff', ['BEGIN_REQUEST 1']],
  ];

  test.each(cases)('%s (read by the %s)', (_what, side, bytes, records) => {
    const input = hex(bytes);
    const next = hex('01 06 0007 0001 00 00 2e'); // the stream stays in step
    for (const chunks of [[input], bytewise(input), ...Array.from(input, (_, at) => cutAt(input, at))]) {
      expect(collect(side, [...chunks, next])).toEqual([...records, 'STDOUT 7 2e']);
    }
  });

  test('a whole request in one chunk', () => {
    const request = hex(`
      01 01 0001 0008 00 00  0001 00 0000000000
      01 04 0001 0007 01 00  04 01 50415448 2f  00
      01 04 0001 0000 00 00
      01 05 0001 0002 00 00  6869
      01 05 0001 0000 00 00`);
    expect(collect('application', [request])).toEqual([
      'BEGIN_REQUEST 1 0001000000000000',
      'PARAMS 1 0401504154482f',
      'PARAMS 1',
      'STDIN 1 6869',
      'STDIN 1',
    ]);
  });
});

describe('broken records', () => {
  test.each([
    ['version 0', 'application', '00 01 0001 0008 00 00', 'BAD_VERSION'],
    ['version 2', 'web-server', '02 03 0001 0008 00 00', 'BAD_VERSION'],
    ['an HTTP request, at its first byte', 'application', '47', 'BAD_VERSION'],
    ['BEGIN_REQUEST of 7 bytes', 'application', '01 01 0001 0007 00 00', 'BAD_LENGTH'],
    ['BEGIN_REQUEST of 9 bytes', 'application', '01 01 0001 0009 00 00', 'BAD_LENGTH'],
    ['BEGIN_REQUEST without a body', 'application', '01 01 0001 0000 00 00', 'BAD_LENGTH'],
    ['END_REQUEST of 65,535 bytes', 'web-server', '01 03 0001 ffff ff 00', 'BAD_LENGTH'],
    ['END_REQUEST without a body', 'web-server', '01 03 0001 0000 00 00', 'BAD_LENGTH'],
    ['UNKNOWN_TYPE of 1 byte', 'web-server', '01 0b 0000 0001 00 00', 'BAD_LENGTH'],
    ['GET_VALUES over its bound', 'application', '01 09 0000 1001 00 00', 'TOO_LARGE'],
    ['GET_VALUES_RESULT over its bound', 'web-server', '01 0a 0000 ffff 00 00', 'TOO_LARGE'],
  ] as const)('%s is refused as soon as it is seen (%s)', (_what, side, bytes, code) => {
    const input = hex(bytes);
    expect(codeOf(() => collect(side, [input]))).toBe(code);
    expect(codeOf(() => collect(side, bytewise(input)))).toBe(code);
  });

  test('the bound on management records is an option', () => {
    const query = record(9, 0, Buffer.alloc(100));
    expect(collect('application', [query], { maxManagementBytes: 100 })).toHaveLength(1);
    expect(codeOf(() => collect('application', [query], { maxManagementBytes: 99 }))).toBe('TOO_LARGE');
  });

  test('records in front of a broken one are handed on first', () => {
    const seen: number[] = [];
    const parser = new RecordParser('application', (type) => seen.push(type));
    expect(codeOf(() => parser.push(Buffer.concat([record(2, 1, ''), record(5, 1, 'x'), hex('02')])))).toBe(
      'BAD_VERSION',
    );
    expect(seen).toEqual([2, 5]);
  });
});

describe('the longest record of all: 65,535 bytes and 255 bytes of padding', () => {
  const begin = hex('01 01 0001 0008 00 00 0001 00 0000000000');
  const trap = Buffer.alloc(65_535 + 255, begin); // reads as valid records at every multiple of 16
  const refused: Record<Side, Record<number, string[]>> = {
    application: { 1: ['BAD_LENGTH'] },
    'web-server': { 3: ['BAD_LENGTH'], 11: ['BAD_LENGTH'] },
  };
  const management: Record<Side, number> = { application: 9, 'web-server': 10 };

  const types = Array.from({ length: 256 }, (_, type) => type);
  test.each(SIDES.flatMap((side) => [0, 9].map((id) => [side, id] as const)))(
    'of every type is read or skipped, and nothing in it is taken for a record (%s, id %i)',
    (side, id) => {
      for (const type of types) {
        const longest = record(type, id, trap.subarray(0, 65_535), trap.subarray(65_535));
        const input = Buffer.concat([longest, record(2, 7, '')]);
        const stream = type >= PARAMS && type <= DATA;
        const skipped = [
          stream ? `${recordName(type)} ${id} ${trap.toString('hex', 0, 65_535)}` : `${recordName(type)} ${id}`,
          'ABORT_REQUEST 7',
        ];
        // With another id than 0 it is no management record, and of no interest.
        const tooLarge = type === management[side] && id === 0 ? ['TOO_LARGE'] : undefined;
        const expected = tooLarge ?? refused[side][type] ?? skipped;
        for (const chunks of [[input], ...[8, 65_543, 65_544, 65_797].map((at) => cutAt(input, at))]) {
          expect(outcome(side, chunks)).toEqual(expected);
        }
      }
    },
  );

  test('byte by byte, skipped', () => {
    const input = Buffer.concat([record(200, 9, trap.subarray(0, 65_535), trap.subarray(65_535)), record(2, 7, '')]);
    expect(collect('application', bytewise(input))).toEqual(['type 200 9', 'ABORT_REQUEST 7']);
  });
});

describe('payloads', () => {
  test('are handed on where they lie, not copied', () => {
    const chunk = record(5, 1, 'payload');
    const parser = new RecordParser('application', (_type, _id, given, start, end) => {
      expect(given).toBe(chunk);
      expect([start, end]).toEqual([8, 15]);
    });
    parser.push(chunk);
    expect.assertions(2);
  });

  test('are handed on before their record is complete', () => {
    const seen: string[] = [];
    const parser = new RecordParser('application', (_type, _id, chunk, start, end) =>
      seen.push(chunk.toString('latin1', start, end)),
    );
    const input = record(5, 1, 'abcdef');
    parser.push(input.subarray(0, 10));
    expect(seen).toEqual(['ab']);
    expect(parser.atBoundary).toBe(false);
    parser.push(input.subarray(10));
    expect(seen).toEqual(['ab', 'cdef']);
    expect(parser.atBoundary).toBe(true);
  });

  test('are never reported as an accidental end of their stream', () => {
    const input = record(5, 1, 'abc');
    for (const chunks of [bytewise(input), cutAt(input, 8)])
      expect(collect('application', chunks)).toEqual(['STDIN 1 616263']);
  });

  test('a body read whole is put together anew each time', () => {
    const bodies: Buffer[] = [];
    const parser = new RecordParser('application', (_type, _id, chunk, start, end) =>
      bodies.push(chunk.subarray(start, end)),
    );
    for (const role of ['1', '2', '3']) {
      for (const byte of bytewise(hex(`01 01 0001 0008 00 00 000${role} 00 0000000000`))) parser.push(byte);
    }
    expect(bodies.map((body) => body.readUInt16BE(0))).toEqual([1, 2, 3]);
  });
});

test('atBoundary tells whether the bytes so far end with a record, padding included', () => {
  const input = record(5, 1, 'ab', 3);
  const parser = new RecordParser('application', () => {});
  expect(parser.atBoundary).toBe(true);
  const boundaries = bytewise(input).map((byte) => {
    parser.push(byte);
    return parser.atBoundary;
  });
  expect(boundaries).toEqual([...Array<boolean>(12).fill(false), true]);
});

test('after stop, nothing is handed on, not even of the chunk being parsed', () => {
  const seen: number[] = [];
  const parser = new RecordParser('application', (_type, id) => {
    seen.push(id);
    if (id === 2) parser.stop();
  });
  parser.push(Buffer.concat([record(5, 1, 'a'), record(5, 2, 'b'), record(5, 3, 'c'), hex('ff')]));
  parser.push(hex('ff'));
  expect(seen).toEqual([1, 2]);
});

describe('any input', () => {
  const types = fc.oneof(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 0, max: 255 }));
  const lengths = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
    { weight: 1, arbitrary: fc.constantFrom(127, 128, 255, 256, 4096, 65_528, 65_534, 65_535) },
  );
  const someRecord = fc
    .tuple(types, fc.integer({ min: 0, max: 65_535 }), lengths, fc.integer({ min: 0, max: 255 }), fc.integer())
    .map(([type, id, length, padding, seed]) => ({ type, id, content: Buffer.alloc(length, `${seed}`), padding }));

  /** What OnRecord promises, said a second time. */
  function expected(side: Side, { type, id, content }: { type: number; id: number; content: Buffer }): string {
    const whole = side === 'application' ? [1, 9] : [3, 10, 11];
    const read = (type >= PARAMS && type <= DATA) || whole.includes(type);
    return `${recordName(type)} ${id}${read && content.length > 0 ? ` ${content.toString('hex')}` : ''}`;
  }

  const isRight = (side: Side, { type, content }: { type: number; content: Buffer }): boolean => {
    if (type === (side === 'application' ? 9 : 10)) return content.length <= 4096;
    return !(side === 'application' ? [1] : [3, 11]).includes(type) || content.length === 8;
  };

  test.each(SIDES)('well-formed records of any type and size come out as they were put in (%s)', (side) => {
    fc.assert(
      fc.property(
        fc.array(someRecord, { maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 200 })),
        (all, cuts) => {
          const records = all
            .filter((each) => isRight(side, each))
            .map((each, at) => ({ ...each, id: (each.id + at) & 0xffff })); // neighbours differ: no piece merges with the next
          const input = Buffer.concat(
            records.map(({ type, id, content, padding }) => record(type, id, content, padding)),
          );
          const chunks: Buffer[] = [];
          for (let at = 0; at < input.length;) {
            const size =
              input.length > 20_000 ? 1 + (cuts.next().value as number) * 331 : (cuts.next().value as number);
            chunks.push(input.subarray(at, at + size));
            at += size;
          }
          const separate = records.filter(({ type, id }, at) => {
            const before = records[at - 1];
            return before === undefined || before.type !== type || before.id !== id;
          });
          fc.pre(separate.length === records.length);
          expect(collect(side, chunks)).toEqual(records.map((each) => expected(side, each)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each(SIDES)(
    'mutated records give the same outcome however they are cut, a ProtocolError at worst (%s)',
    (side) => {
      const mutation = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
      fc.assert(
        fc.property(
          fc.array(someRecord, { minLength: 1, maxLength: 6 }),
          fc.array(mutation, { maxLength: 4 }),
          fc.nat(),
          (records, mutations, cut) => {
            const whole = Buffer.concat(
              records.map(({ type, id, content, padding }) => record(type, id, content, padding)),
            );
            for (const [at, value] of mutations) whole[at % whole.length] = value;
            const input = whole.subarray(0, Math.min(whole.length, 5000));
            const result = outcome(side, [input]);
            expect(outcome(side, bytewise(input))).toEqual(result);
            expect(outcome(side, cutAt(input, cut % input.length))).toEqual(result);
          },
        ),
        { numRuns: 500 },
      );
    },
  );

  test.each(SIDES)('random bytes never throw anything but ProtocolError (%s)', (side) => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.boolean(), (random, versioned) => {
        const input = Buffer.from(random);
        if (versioned) input[0] = 1;
        expect(outcome(side, bytewise(input))).toEqual(outcome(side, [input]));
      }),
      { numRuns: 2000 },
    );
  });
});
