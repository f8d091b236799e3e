// Transaction: what runs between BEGIN and COMMIT, or between SAVEPOINT and RELEASE.

import type { Connection, QueryResult, Statement } from '../connection/index.ts';
import { InterfaceError, isFatal, lost, OperationalError, PostgresError, ProgrammingError } from '../errors/index.ts';
import type { CommitHook, Executor, TransactionOptions } from './executor.ts';
import { Lane, type Patience } from './lane.ts';

const RETRYABLE: ReadonlySet<unknown> = new Set(['40001', '40P01']); // serialization_failure, deadlock_detected
const OPTIONS: ReadonlySet<string> = new Set(['isolation', 'readOnly', 'deferrable', 'retries']);
const ISOLATIONS: ReadonlySet<string> = new Set(['read committed', 'repeatable read', 'serializable']);
const ABORTED = '25P02'; // in_failed_sql_transaction
const ROLLBACK = 5000; // ms

/** The checkout that it runs in. */
export interface TransactionHost {
  readonly ended: boolean;
  readonly patience: Patience;
  /** For each statement, in ms. 0: no bound. */
  readonly timeout: number;
  /** Throws where nothing can be sent any more. */
  check(): void;
  send<Row>(connection: Connection, statement: Statement): Promise<QueryResult<Row>>;
  heed(connection: Connection, statement: Statement): void;
  /** Call `fn` so that what it asks for is the transaction's. */
  within<T>(transaction: Transaction, fn: () => T): T;
}

export class Transaction implements Executor {
  readonly inTransaction = true;
  readonly #host: TransactionHost;
  readonly #connection: Connection;
  readonly #lane: Lane = new Lane();
  readonly timeout: number;
  readonly #depth: number;
  #hooks: CommitHook[] = [];
  #ended = false;
  #failed = false; // its function has

  private constructor(host: TransactionHost, connection: Connection, depth: number) {
    this.#host = host;
    this.#connection = connection;
    this.timeout = host.timeout;
    this.#depth = depth;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return this.run((connection) => this.#host.send<Row>(connection, statement));
  }

  async run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#check();
    return this.#lane.run(async () => {
      this.#check();
      this.#checkOpen();
      return work(this.#connection);
    }, this.#host.patience);
  }

  heed(connection: Connection, statement: Statement): void {
    this.#host.heed(connection, statement);
  }

  /** A savepoint. Its options are the transaction's: none can be given. */
  async transaction<T>(fn: () => T | Promise<T>, options: TransactionOptions): Promise<T> {
    if (Object.values(options).some(Boolean)) {
      const text = `a transaction within a transaction takes no options (${Object.keys(options).join(', ')}): give them to the outer one`;
      throw new ProgrammingError(text, { code: 'TRANSACTION_OPTIONS' });
    }
    const savepoint = `postfork_${this.#depth + 1}`;
    return this.run(async (connection) => {
      const { timeout } = this;
      await connection.query({ text: `SAVEPOINT ${savepoint}` }, { timeout });
      const inner = new Transaction(this.#host, connection, this.#depth + 1);
      let result: T;
      try {
        result = await inner.#body(fn);
        this.#host.check(); // the scope may have ended in between
        await connection.query({ text: `RELEASE SAVEPOINT ${savepoint}` }, { timeout });
      } catch (error) {
        await inner.#undo(`ROLLBACK TO SAVEPOINT ${savepoint}; RELEASE SAVEPOINT ${savepoint}`);
        throw error instanceof PostgresError && error.sqlstate === ABORTED && !inner.#failed ? aborted(error) : error;
      }
      this.#hooks.push(...inner.#hooks);
      return result;
    });
  }

  /** It is needed until the end. */
  release(): Promise<boolean> {
    return Promise.resolve(false);
  }

  onCommit(hook: CommitHook): void {
    this.#check();
    this.#hooks.push(hook);
  }

  /** The hooks of the savepoints that were released by now, once. */
  takeHooks(): CommitHook[] {
    return this.#hooks.splice(0);
  }

  /** From BEGIN to COMMIT. Resolves to what `fn` gave, with what is to be done when it is committed. */
  static async run<T>(
    host: TransactionHost,
    connection: Connection,
    fn: () => T | Promise<T>,
    options: TransactionOptions,
  ): Promise<{ result: T; hooks: CommitHook[] }> {
    const { timeout } = host;
    if (connection.transactionStatus !== 'I') {
      const text =
        'db.transaction() within a transaction that a BEGIN of your own has begun: its COMMIT would be that of both. ' +
        'Begin that one by db.transaction() too';
      throw new ProgrammingError(text, { code: 'TRANSACTION_OPEN' });
    }
    await connection.query({ text: begin(options) }, { timeout });
    const transaction = new Transaction(host, connection, 0);
    let result: T;
    try {
      result = await transaction.#body(fn);
      host.check();
    } catch (error) {
      await transaction.#undo('ROLLBACK');
      throw error;
    }
    await commit(connection, timeout);
    return { result, hooks: transaction.#hooks };
  }

  /** What was asked for in `fn` without waiting is done before it ends. */
  async #body<T>(fn: () => T | Promise<T>): Promise<T> {
    try {
      const result = await this.#host.within(this, fn);
      await this.#lane.idle();
      this.#check();
      return result;
    } catch (error) {
      this.#failed = true;
      throw error;
    } finally {
      this.#ended = true;
      await this.#lane.idle();
    }
  }

  async #undo(text: string): Promise<void> {
    const connection = this.#connection;
    if (!connection.open)
      connection.failed ||= !connection.tainted; // nothing is lost with it that was not to be undone
    else if (!this.#host.ended) await rollBack(connection, text); // otherwise the end of the scope does it
  }

  #check(): void {
    this.#host.check();
    if (!this.#ended) return;
    const text =
      'this transaction has ended: wait for everything in it before its function returns. What is for later, such as ' +
      'request.waitUntil(...), is begun in db.onCommit(), or after the transaction';
    throw new InterfaceError(text, { code: 'TRANSACTION_ENDED' });
  }

  /** The server would take what comes now for statements of their own, which no error undoes. */
  #checkOpen(): void {
    if (!this.#connection.open || this.#connection.transactionStatus !== 'I') return;
    const text = 'a COMMIT or ROLLBACK of your own has ended this transaction: leave them to db.transaction()';
    throw new InterfaceError(text, { code: 'TRANSACTION_ENDED' });
  }
}

/** Never rejects: where it fails the connection is cut, and the server rolls back by itself. */
export async function rollBack(connection: Connection, text = 'ROLLBACK'): Promise<void> {
  await connection.query({ text }, { timeout: ROLLBACK }).catch(() => connection.close());
}

/** Whether the same transaction may well succeed when it is tried again. */
export function isRetryable(error: unknown): boolean {
  return error instanceof PostgresError && RETRYABLE.has(error.sqlstate);
}

function begin(options: TransactionOptions): string {
  const { isolation, readOnly, deferrable } = options;
  const unknown = Object.keys(options).find((key) => !OPTIONS.has(key));
  if (unknown !== undefined) {
    const text = `there is no option ${unknown} of a transaction; there are ${[...OPTIONS].join(', ')}`;
    throw new ProgrammingError(text, { code: 'TRANSACTION_OPTIONS' });
  }
  if (isolation !== undefined && !ISOLATIONS.has(isolation)) {
    const text = `isolation is one of ${[...ISOLATIONS].join(', ')}`; // what is given goes into a statement
    throw new ProgrammingError(text, { code: 'TRANSACTION_OPTIONS' });
  }
  return [
    'BEGIN',
    isolation !== undefined && `ISOLATION LEVEL ${isolation.toUpperCase()}`,
    readOnly !== undefined && (readOnly ? 'READ ONLY' : 'READ WRITE'),
    deferrable !== undefined && (deferrable ? 'DEFERRABLE' : 'NOT DEFERRABLE'),
  ]
    .filter(Boolean)
    .join(' ');
}

/** The server answers COMMIT with ROLLBACK where a statement has failed, and somebody has caught its error. */
async function commit(connection: Connection, timeout: number): Promise<void> {
  let command: string;
  if (!connection.open) {
    connection.failed = true;
    const text = 'it was closed before COMMIT was sent: the server has rolled back';
    throw lost(new Error(text, { cause: connection.lostBy }));
  }
  try {
    ({ command } = await connection.query({ text: 'COMMIT' }, { timeout }));
  } catch (error) {
    // Of one that has timed out the cause tells whether it was cancelled, or cut.
    if (![error, (error as Error).cause].some((one) => one instanceof PostgresError && isFatal(one))) throw error;
    const text = 'the connection was lost while the transaction was being committed: nobody knows whether it is';
    throw new OperationalError(text, { code: 'COMMIT_UNKNOWN', cause: error });
  }
  if (command === 'ROLLBACK') throw aborted();
}

function aborted(cause?: unknown): ProgrammingError {
  return new ProgrammingError(
    'the transaction was rolled back: a statement in it has failed, and its error was caught. Put what may fail into a ' +
      'transaction of its own within this one: db.transaction(...)',
    { code: 'TRANSACTION_ABORTED', cause },
  );
}
