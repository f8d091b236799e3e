// Numbers and choices on the command lines of the benchmarks.

import { InvalidArgumentError, Option } from 'commander';

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('a number above 0 is needed');
  return value;
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number above 0 is needed');
  return value;
}

/** Some of what is known by name; all by default. */
export function choice<T extends { readonly name: string }>(flags: string, known: readonly T[]): Option {
  const names = known.map((one) => one.name).join(',');
  const parse = (text: string): T[] =>
    text.split(',').map((name) => {
      const found = known.find((one) => one.name === name);
      if (found === undefined) throw new InvalidArgumentError(`known are ${names}`);
      return found;
    });
  return new Option(flags, `of ${names}`).argParser(parse).default(known, 'all');
}
