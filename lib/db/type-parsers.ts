// TypeParsers: how the values of a database's types become JavaScript's, where it is to be otherwise than pg does it.

import pg from 'pg';

/** By the name of a type, as in pg_type (`int8`, `numeric`, `date`), or its OID: what makes a value of its text. */
export type TypeParsers = Readonly<Record<string, (text: string) => unknown>>;

// No own type has a name here: extensions get their OIDs in each database.
const OIDS: ReadonlyMap<string, number> = new Map(
  Object.entries(pg.types.builtins).map(([name, oid]) => [name.toLowerCase(), oid]),
);
const OID = /^[1-9]\d{0,9}$/;

/** Whether it is a type by its name or its OID. */
export function isType(name: string): boolean {
  return OIDS.has(name) || OID.test(name);
}

/** For pg's clients. A type that is not among `parsers` is parsed as pg does it. */
export function driverTypes(parsers: TypeParsers): pg.CustomTypesConfig {
  const byOid = new Map(Object.entries(parsers).map(([name, parse]) => [OIDS.get(name) ?? Number(name), parse]));
  const getTypeParser = (oid: number, format?: 'text' | 'binary'): unknown =>
    (format === 'binary' ? undefined : byOid.get(oid)) ?? pg.types.getTypeParser(oid, format as 'text');
  return { getTypeParser } as pg.CustomTypesConfig;
}
