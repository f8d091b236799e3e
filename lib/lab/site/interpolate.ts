// interpolate(): parameters written into the text of a statement, as psycopg2 does it.

import { escapeLiteral } from 'pg';

/** `$1` is the first. Throws RangeError for one that is not given. */
export function interpolate(sql: string, params: readonly (string | number)[]): string {
  return sql.replace(/\$(\d+)/g, (place, number: string) => {
    const value = params[Number(number) - 1];
    if (value === undefined) throw new RangeError(`${place} has no value`);
    return typeof value === 'number' ? String(value) : escapeLiteral(value);
  });
}
