// Bytes that tell their place: a block that is missing, doubled or in another place gives another hash.

const BLOCK = 16_384;

/** `length` bytes in blocks. */
export function* pattern(length: number): Generator<Buffer> {
  for (let at = 0; at < length; at += BLOCK) {
    const block = Buffer.alloc(Math.min(BLOCK, length - at), at / BLOCK);
    block.write(String(at), 0);
    yield block;
  }
}

/** The same in one piece. */
export function patternBytes(length: number): Buffer {
  return Buffer.concat([...pattern(length)]);
}
