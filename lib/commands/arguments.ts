// Parsers of arguments that several verbs take.

import { InvalidArgumentError } from 'commander';

/** A positive number. */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a positive number is expected.');
  return value;
}
