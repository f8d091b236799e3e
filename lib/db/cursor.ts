// Cursors: large results, some rows at a time (PostgreSQL manual, DECLARE and FETCH).

import type { Connection } from './connection/index.ts';
import { lost, withCaller } from './errors/index.ts';
import type { Executor } from './scope/index.ts';

export interface CursorOptions {
  /** Rows that are fetched, and in memory, at a time. From 1 on, default 100. */
  batch?: number;
  /** Of the query, in errors. */
  name?: string;
}

let declared = 0;

/**
 * The rows of a SELECT or VALUES. Outside of a transaction the server keeps the result until the end of the iteration (WITH HOLD), and
 * other statements may run between the rows. Ended early it is closed.
 */
export async function* cursor<Row>(
  executor: Executor & { hold?: () => () => void },
  text: string,
  values: readonly unknown[],
  { batch = 100, name }: CursorOptions,
): AsyncGenerator<Row, void, undefined> {
  if (!Number.isInteger(batch) || batch < 1) throw new TypeError('cursor: batch is a whole number from 1 on');
  const release = executor.hold?.();
  const id = `postfork_cursor_${++declared}`;
  let home: Connection | undefined;
  /** A connection that was opened since knows nothing of it. */
  const send = (statement: string, params?: readonly unknown[]): Promise<Row[]> =>
    executor.run(async (connection) => {
      if (home === undefined) executor.heed(connection, { text, name });
      home ??= connection;
      if (connection !== home) throw lost(new Error('the cursor was on another connection'), name);
      const { timeout } = executor;
      return (await connection.query<Row>({ text: statement, values: params, name }, { timeout })).rows;
    });
  const hold = executor.inTransaction ? '' : ' WITH HOLD';
  let there = false;
  try {
    await send(`DECLARE ${id} NO SCROLL CURSOR${hold} FOR ${text}`, values.length > 0 ? values : undefined);
    there = true;
    let rows: Row[];
    do {
      rows = await send(`FETCH FORWARD ${batch} FROM ${id}`);
      yield* rows;
    } while (rows.length === batch);
  } catch (error) {
    throw withCaller(error);
  } finally {
    // Where that fails the connection, or the transaction, is not usable anyway, and takes the cursor with it.
    if (there) await send(`CLOSE ${id}`).then(release, () => {});
    else release?.();
  }
}
