// Whether what is written to a stream may have colours.

/** It is a terminal, and nobody wants none (https://no-color.org). */
export function showsColors(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true && (process.env['NO_COLOR'] ?? '') === '';
}
