// Parsers of arguments that several verbs take.

import { InvalidArgumentError } from 'commander';

/** A positive number. */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a positive number is expected.');
  return value;
}

/** 0, 1, 2 ... */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a number of 0 or more is expected.');
  return value;
}

/** A TCP port; 0 means a free one. */
export function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535.');
  return value;
}

/** 1, 2, 3 ... */
export function atLeastOne(text: string): number {
  const value = count(text);
  if (value === 0) throw new InvalidArgumentError('a number of 1 or more is expected.');
  return value;
}

/** Permission bits, such as 022. */
export function octal(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new InvalidArgumentError('octal digits are expected, such as 022.');
  return parseInt(text, 8);
}
