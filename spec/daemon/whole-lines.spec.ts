// WholeLines: the same lines however the bytes are cut, and nothing in them that could forge a line of the log.

import fc from 'fast-check';
import { printable, WholeLines, type Line } from '../../lib/daemon/index.ts';

const whole = (...texts: string[]): Line[] => texts.map((text) => ({ text, continues: false }));

function linesOf(pieces: readonly (Uint8Array | string)[], maxBytes = 64 * 1024): Line[] {
  const lines = new WholeLines({ maxBytes });
  return [...pieces.flatMap((piece) => lines.push(Buffer.from(piece))), ...lines.end()];
}

test('a line comes when it is complete, with LF or CRLF', () => {
  const lines = new WholeLines();
  expect(lines.push(Buffer.from('one\ntw'))).toEqual(whole('one'));
  expect(lines.push(Buffer.from('o\r'))).toEqual([]);
  expect(lines.push(Buffer.from('\n\n'))).toEqual(whole('two', ''));
  expect(lines.end()).toEqual([]);
});

test('what has no line end comes at the end, once', () => {
  const lines = new WholeLines();
  expect(lines.push(Buffer.from('last words'))).toEqual([]);
  expect(lines.end()).toEqual(whole('last words'));
  expect(lines.end()).toEqual([]);
});

test('a character that comes in two reads is one; what is not UTF-8 is U+FFFD', () => {
  expect(
    linesOf(
      [
        [0xe2, 0x82],
        [0xac, 0x0a],
        [0xff, 0x0a],
      ].map((bytes) => Uint8Array.from(bytes)),
    ),
  ).toEqual(whole('€', '\ufffd'));
});

test('control characters are escaped: no forged line, no command to a terminal', () => {
  expect(linesOf(['ok\rfake\x1b[2J\0\x07\x7f\u0085\u009b\u2028\ttab\n'])).toEqual(
    whole('ok\\rfake\\x1b[2J\\x00\\x07\\x7f\\x85\\x9b\\u2028\ttab'),
  );
  expect(printable('a\r\nb')).toBe('a\\r\\nb');
  expect(printable('\x1b[32mgreen\x1b[0m')).toBe('\\x1b[32mgreen\\x1b[0m');
});

test.each([
  ['abcdefgh\n', whole('abcdefgh')],
  ['abcdefgh\r\n', whole('abcdefgh')],
  ['abcdefghi\n', [{ text: 'abcdefgh', continues: true }, ...whole('i')]],
  ['abcdefg€\n', [{ text: 'abcdefg', continues: true }, ...whole('€')]],
  ['abcdefg\u{1f600}', [{ text: 'abcdefg', continues: true }, ...whole('\u{1f600}')]],
])('with a bound of 8 bytes, %j comes in pieces that end between characters', (text, expected) => {
  expect(linesOf([text], 8)).toEqual(expected);
});

test('a line without end is held up to the bound only', () => {
  const lines = new WholeLines({ maxBytes: 1000 });
  let pieces = 0;
  for (let i = 0; i < 100; i++) pieces += lines.push(Buffer.alloc(1000, 'x')).length;
  expect(pieces).toBe(99);
  expect(() => new WholeLines({ maxBytes: 3 })).toThrow(RangeError);
});

test('any cutting of any bytes gives the same lines', () => {
  const byte = fc.constantFrom(0x0a, 0x0d, 0x61, 0x00, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0x1b);
  fc.assert(
    fc.property(fc.array(fc.array(byte, { maxLength: 12 })), fc.integer({ min: 4, max: 12 }), (pieces, maxBytes) => {
      const cut = linesOf(
        pieces.map((piece) => Uint8Array.from(piece)),
        maxBytes,
      );
      expect(cut).toEqual(linesOf([Uint8Array.from(pieces.flat())], maxBytes));
      expect(cut).toEqual(
        linesOf(
          pieces.flat().map((one) => Uint8Array.of(one)),
          maxBytes,
        ),
      );
      // oxlint-disable-next-line no-control-regex
      for (const { text } of cut) expect(text).not.toMatch(/[\x00-\x08\x0a-\x1f]/);
    }),
    { numRuns: 1000 },
  );
});

test('any text comes back, line by line and with its pieces joined', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', maxLength: 40 })),
      fc.integer({ min: 4, max: 20 }),
      (texts, max) => {
        const lines = linesOf([texts.map((text) => `${text}\n`).join('')], max);
        const joined = lines.reduce((text, line) => text + line.text + (line.continues ? '' : '\n'), '');
        expect(joined).toBe(texts.map((text) => `${printable(text)}\n`).join(''));
      },
    ),
  );
});
