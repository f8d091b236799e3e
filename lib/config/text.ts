// Text of configurations: lines that may be left out, strings, patterns.

/** A line, several, or nothing. */
export type Line = string | readonly Line[] | undefined | false;

/** The lines that are there, each with its end. */
export function text(lines: readonly Line[]): string {
  return flat(lines)
    .map((line) => `${line}\n`)
    .join('');
}

/** The same lines, one step further in. Empty ones stay empty. */
export function indented(lines: readonly Line[]): string[] {
  return flat(lines).map((line) => (line === '' ? line : `    ${line}`));
}

/** A path of unreserved characters as part of a regular expression. */
export function escaped(path: string): string {
  return path.replaceAll('.', '\\.');
}

function flat(lines: readonly Line[]): string[] {
  return lines.flatMap((line): string[] => {
    if (line === undefined || line === false) return [];
    return typeof line === 'string' ? [line] : flat(line);
  });
}
