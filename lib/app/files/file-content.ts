// A file's bytes, read when they are sent. Nothing is held open before or after.

import type { BigIntStats } from 'node:fs';
import { constants, open, type FileHandle } from 'node:fs/promises';
import type { ByteRange } from './byte-range.ts';

const PIECE = 65_528; // what one STDOUT record carries

/** Open for reading, without waiting where the path is a FIFO. Rejects as the file system does. */
export function openFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/**
 * The bytes of a range, piece by piece. The file is opened when the first one is asked for and closed in every way the reading
 * can end. Rejects where it is not the file any more that `stats` were taken of, or has become shorter.
 */
export function fileContent(path: string, stats: BigIntStats, range: ByteRange): AsyncIterable<Buffer> {
  return {
    async *[Symbol.asyncIterator]() {
      const file = await openFile(path);
      try {
        const { ino, dev } = await file.stat({ bigint: true });
        if (ino !== stats.ino || dev !== stats.dev) throw new Error(`${path} was replaced before it was sent`);
        for (let at = range.first; at <= range.last;) {
          const piece = await readPiece(file, at, Math.min(PIECE, range.last + 1 - at));
          at += piece.length;
          yield piece;
        }
      } finally {
        await file.close();
      }
    },
  };
}

/** A range at once, out of an open file. */
export async function readRange(file: FileHandle, range: ByteRange): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let at = range.first; at <= range.last;) {
    const piece = await readPiece(file, at, range.last + 1 - at);
    at += piece.length;
    pieces.push(piece);
  }
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

async function readPiece(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, at);
  if (bytesRead === 0) throw new Error('a file became shorter while it was sent');
  return buffer.subarray(0, bytesRead);
}
