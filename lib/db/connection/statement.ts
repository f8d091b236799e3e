// A statement, and what it gives.

import pg from 'pg';

/** A statement for `query`. */
export interface Statement {
  text: string;
  values?: readonly unknown[] | undefined;
  /** Of the query in errors and, where it is prepared, of the prepared statement. */
  name?: string | undefined;
  /** For the answer, in ms, instead of `queryTimeout`. 0: no bound. */
  timeout?: number | undefined;
}

/** How a statement is sent. */
export interface SendOptions {
  /** Prepare it under its name, and use it again. Default false. */
  prepare?: boolean;
  /** For the answer, in ms. 0, the default: no bound. */
  timeout?: number;
}

/** What a statement gives. */
export interface QueryResult<Row> {
  rows: Row[];
  /** Rows given, or changed; null for statements that count none. */
  rowCount: number | null;
  /** `SELECT`, `UPDATE`, ... */
  command: string;
  fields: { name: string; dataTypeID: number }[];
}

/** A result without what the driver has read it by; anything else as it is. */
export function plain<T>(result: T): T {
  if (!(result instanceof pg.Result)) return result;
  const { rows, rowCount, command, fields } = result;
  return { rows, rowCount, command, fields } as T;
}
