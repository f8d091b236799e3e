// PieceQueue: bytes in the order they came. However small the pieces are, their number of objects stays small.

// Smaller pieces are put together in blocks of this size: a window full of one-byte records must stay a window, and a piece
// keeps the whole chunk it was read with, which has up to 64 KiB.
const BLOCK = 16 * 1024;

export class PieceQueue {
  #pieces: Buffer[] = [];
  #length = 0;
  #block: Buffer | undefined; // the block that the last piece is a part of

  /** Bytes. */
  get length(): number {
    return this.#length;
  }

  /** The piece is kept, not copied, unless it is small and not the first. */
  push(piece: Buffer): void {
    this.#length += piece.length;
    const last = this.#pieces.length - 1;
    if (last < 0 || piece.length >= BLOCK) {
      this.#pieces.push(piece);
      this.#block = undefined;
      return;
    }
    const used = this.#block === undefined ? BLOCK : (this.#pieces[last] as Buffer).length;
    if (this.#block === undefined || used + piece.length > BLOCK) {
      this.#block = Buffer.allocUnsafeSlow(BLOCK);
      this.#pieces.push(this.#block.subarray(0, piece.copy(this.#block)));
    } else {
      piece.copy(this.#block, used);
      this.#pieces[last] = this.#block.subarray(0, used + piece.length);
    }
  }

  /** The oldest piece. */
  shift(): Buffer | undefined {
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.#length -= piece.length;
    if (this.#length === 0) this.#block = undefined;
    return piece;
  }

  /** All pieces; the queue is empty then. */
  takeAll(): Buffer[] {
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#length = 0;
    this.#block = undefined;
    return pieces;
  }
}
