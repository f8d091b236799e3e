// Executor: where statements go: a scope's connection, or a transaction on it.

import type { Connection, QueryResult, Statement } from '../connection/index.ts';

/** SET TRANSACTION's modes (PostgreSQL manual), and how often to try. */
export interface TransactionOptions {
  isolation?: 'read committed' | 'repeatable read' | 'serializable';
  readOnly?: boolean;
  /** With `serializable` and `readOnly`: wait until it cannot fail. */
  deferrable?: boolean;
  /**
   * How often to run it again where the server has rolled it back for another one's sake: serialization failure (40001), deadlock
   * (40P01). `fn` must have done nothing by then that cannot be done again. Default 0.
   */
  retries?: number;
}

/** Runs when the transaction it was given in is committed. */
export type CommitHook = () => unknown;

export interface Executor {
  query<Row>(statement: Statement): Promise<QueryResult<Row>>;
  /** Work with the connection while nobody else does. */
  run<T>(work: (connection: Connection) => Promise<T>): Promise<T>;
  /**
   * Before a statement of the application's is sent: what it leaves in the session. Throws NotSupportedError SESSION_STATE where there is
   * none.
   */
  heed(connection: Connection, statement: Statement): void;
  transaction<T>(fn: () => T | Promise<T>, options: TransactionOptions): Promise<T>;
  onCommit(hook: CommitHook): void;
  /** Give the connection back, where nothing is left on it. Whether nothing of the scope's is held any more. */
  release(): Promise<boolean>;
  readonly inTransaction: boolean;
  /** For each statement, in ms. 0: no bound. */
  readonly timeout: number;
}
