// Parameters in the text of a statement.

import { interpolate } from '../../../lib/lab/site/interpolate.ts';

test.each<[string, readonly (string | number)[], string]>([
  ['SELECT 1', [], 'SELECT 1'],
  ['SELECT $1', ['a'], `SELECT 'a'`],
  ['SELECT $1', ["O'Brien"], `SELECT 'O''Brien'`],
  ['SELECT $1', ['a\\b'], `SELECT  E'a\\\\b'`],
  ['SELECT $1 + $2', [1, -2.5], 'SELECT 1 + -2.5'],
  ['$2 $1 $2', ['a', 'b'], `'b' 'a' 'b'`],
  ['$1', ['$2'], `'$2'`],
  ['$1', ["$& $' $$"], `'$& $'' $$'`],
  ['$11 $1', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], '11 1'],
])('%j with %j', (sql, params, text) => {
  expect(interpolate(sql, params)).toBe(text);
});

test.each<[string, readonly string[]]>([
  ['SELECT $1', []],
  ['SELECT $2', ['a']],
  ['SELECT $0', ['a']],
])('%j with %j has no value for it', (sql, params) => {
  expect(() => interpolate(sql, params)).toThrow(RangeError);
});
