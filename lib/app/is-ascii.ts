// isAscii(): whether text is its own UTF-8, for texts that are about to be sent.

const SCRATCH_LENGTH = 16 * 1024;
const SHORT = 512;

let scratch: Buffer | undefined;

/**
 * Whether the text is ASCII. Writing a longer text somewhere takes a quarter of the time that measuring it takes
 * (Buffer.byteLength: 2.6 us for 10 KiB, this: 0.6). Text over 16 KiB counts as not: it is encoded in any case.
 */
export function isAscii(text: string): boolean {
  if (text.length <= SHORT) return Buffer.byteLength(text) === text.length;
  if (text.length > SCRATCH_LENGTH) return false;
  // With room for one more character, only text of one byte a character is written in exactly its length.
  scratch ??= Buffer.allocUnsafeSlow(SCRATCH_LENGTH + 4);
  return scratch.write(text, 0, text.length + 4) === text.length;
}
