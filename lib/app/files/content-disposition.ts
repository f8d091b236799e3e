// Content-Disposition for downloads (RFC 6266), with any name (RFC 8187).

/** `attachment` under a name. What could be a path on somebody's computer, or break the header, becomes `_`. */
export function attachment(filename: string): string {
  // eslint-disable-next-line no-control-regex
  const name = filename.replace(/[\0-\x1f\x7f/\\]/g, '_');
  // For old programs: without what they read in different ways. Others take `filename*` (RFC 6266, appendix D).
  const plain = name.replace(/[^ -~]|["%]/g, '_');
  return `attachment; filename="${plain}"${plain === name ? '' : `; filename*=UTF-8''${encode(name)}`}`;
}

/** Percent-encoded but for attr-char (RFC 8187, 3.2.1). */
function encode(text: string): string {
  return Buffer.from(text)
    .toString('latin1')
    .replace(
      /[^!#$&+\-.^_`|~0-9A-Za-z]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
    );
}
