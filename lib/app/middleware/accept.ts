// The Accept header (RFC 9110, 12.5.1): which of some types a client asks for.

/**
 * The one of `types` that the header names with the highest weight; of equals the one it names first. Wildcards do not count:
 * every browser's image and every script sends them. Undefined where it names none.
 */
export function preferredType(accept: string | undefined, types: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestWeight = 0;
  for (const range of (accept ?? '').split(',')) {
    const [name = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    if (!types.includes(name)) continue;
    const weight = weightOf(parameters);
    if (weight > bestWeight) [best, bestWeight] = [name, weight];
  }
  return best;
}

/** 0 to 1 (12.4.2); 1 where none is given, 0 for what is none. */
function weightOf(parameters: string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='));
  if (weight === undefined) return 1;
  return /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight.slice(2)) : 0;
}
