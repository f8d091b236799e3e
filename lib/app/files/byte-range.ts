// One range of bytes out of a Range header (RFC 9110, 14).

/** From the first to the last byte, both included. */
export interface ByteRange {
  first: number;
  last: number;
}

/**
 * The range of a representation of `size` bytes that a Range header asks for. Undefined where the header is to be ignored, so
 * that the whole is sent: no header, another unit, not well-formed, or several ranges (14.2 leaves that to the server, and who
 * asks for several can take the whole). `unsatisfiable`: 416.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? '');
  if (!match) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    const length = Number(to);
    if (length === 0) return 'unsatisfiable';
    return size === 0 ? undefined : { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  if (first >= size) return 'unsatisfiable';
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) };
}
