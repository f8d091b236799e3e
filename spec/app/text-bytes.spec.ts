// Text as bytes: always the UTF-8 that Node gives, however it is got.

import fc from 'fast-check';
import { encodeText, isAscii } from '../../lib/app/text-bytes.ts';

const LENGTHS = [0, 1, 511, 512, 513, 16 * 1024 - 1, 16 * 1024, 65_280, 65_281, 200_000];

test.each(LENGTHS)('ASCII of %i characters', (length) => {
  const text = 'x'.repeat(length);
  expect(isAscii(text)).toBe(length <= 16 * 1024);
  expect(Buffer.concat(encodeText(text)).equals(Buffer.from(text))).toBe(true);
});

test.each(['é', 'ÿ', '€', '\u{1f600}', '\ud800', '\udc00', '\0', '\x7f'])(
  '%j anywhere in a text of any length',
  (char) => {
    for (const length of LENGTHS) {
      for (const at of [0, length >> 1, Math.max(0, length - 1), 65_279, 65_280]) {
        const text = 'x'.repeat(Math.min(at, length)) + char + 'x'.repeat(Math.max(0, length - at));
        expect(isAscii(text)).toBe(text.length <= 16 * 1024 && char < '\x80');
        expect(Buffer.concat(encodeText(text)).equals(Buffer.from(text))).toBe(true);
      }
    }
  },
);

test('any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.nat(3000), (unit, times) => {
      const text = unit.repeat(times);
      expect(isAscii(text)).toBe(text.length <= 16 * 1024 && Buffer.byteLength(text) === text.length);
      expect(Buffer.concat(encodeText(text)).equals(Buffer.from(text))).toBe(true);
    }),
    { numRuns: 200 },
  );
});
