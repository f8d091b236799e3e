// Checkout: one scope's use of one database. It holds a connection while it needs one, and sends one statement after the other.

import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, QueryResult, Statement } from '../connection/index.ts';
import { runHooks } from './commit-hooks.ts';
import type { DatabaseParts } from './database-parts.ts';
import { InterfaceError, isFatal, lost, NotSupportedError, OperationalError, PostgresError } from '../errors/index.ts';
import type { CommitHook, Executor, TransactionOptions } from './executor.ts';
import { Lane, type Patience } from './lane.ts';
import { onlyReads } from '../sql/index.ts';
import { isSessionless } from '../settings.ts';
import { isRetryable, rollBack, Transaction, type TransactionHost } from './transaction.ts';

const FIRST_RETRY = 10; // ms on average, doubled with each
const LONGEST_RETRY = 1000;

/** The scope that it is a part of. */
export interface CheckoutScope {
  readonly ended: boolean;
  readonly ownerPid: number;
  readonly signal: AbortSignal | undefined;
  /** The request, where it is a request's. */
  readonly request: object | undefined;
  /** It does not end before this is done, which never rejects. */
  waitUntil(work: Promise<void>): void;
}

export class Checkout implements Executor, TransactionHost {
  readonly inTransaction = false;
  /** For those that wait for what is before them in this scope. */
  readonly patience: Patience;
  readonly #scope: CheckoutScope;
  readonly #parts: DatabaseParts;
  readonly #lane: Lane = new Lane();
  readonly #sessionless: boolean;
  #connection: Connection | undefined;
  #held = 0; // cursors that outlive their statement
  #wrote = false;
  #retried = false;
  #checked = false; // a kept connection was asked whether it is alive
  #unfollow: (() => void) | undefined;

  constructor(scope: CheckoutScope, parts: DatabaseParts) {
    this.#scope = scope;
    this.#parts = parts;
    this.patience = patienceOf(parts.settings.acquireTimeout);
    this.#sessionless = isSessionless(parts.settings);
  }

  get timeout(): number {
    return this.#parts.settings.queryTimeout;
  }

  get ended(): boolean {
    return this.#scope.ended;
  }

  /** Throws InterfaceError where nothing can be sent in this scope any more. */
  check(): void {
    if (this.#scope.ownerPid !== process.pid) {
      const text = `this scope belongs to process ${this.#scope.ownerPid}, and this is process ${process.pid}, forked from it`;
      throw this.#connection?.foreign() ?? new InterfaceError(text, { code: 'FOREIGN_CONNECTION' });
    }
    if (this.#scope.ended) {
      const text =
        'the request, or the scope, that this database connection belongs to is over. Work behind the response: ' +
        'request.waitUntil(...); work of its own: connections.scope(...)';
      throw new InterfaceError(text, { code: 'SCOPE_ENDED' });
    }
    if (this.#isAborted) throw this.#aborted(this.#scope.signal?.reason);
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    if (this.#wrote || !this.#parts.settings.retryReads || !onlyReads(statement.text)) {
      return this.run((connection) => this.send<Row>(connection, statement));
    }
    return this.#run(async (connection) => {
      try {
        return await this.send<Row>(connection, statement);
      } catch (error) {
        if (this.#wrote || this.#retried || !(error instanceof PostgresError) || !isFatal(error) || this.ended)
          throw error;
        this.#retried = true;
        const another = await this.#take();
        this.check();
        return this.send<Row>(another, statement);
      }
    });
  }

  /** A statement of the application's, on a connection that is its own for now. */
  send<Row>(connection: Connection, statement: Statement): Promise<QueryResult<Row>> {
    const { settings } = this.#parts;
    this.heed(connection, statement);
    const prepare = settings.pooler !== 'transaction';
    return connection.query<Row>(statement, { prepare, timeout: statement.timeout ?? this.timeout });
  }

  heed(connection: Connection, statement: Statement): void {
    if (this.#sessionless) this.#refuseState(statement);
    else if (!connection.tainted) connection.tainted = this.#parts.states.of(statement.text) !== undefined;
  }

  within<T>(transaction: Transaction, fn: () => T): T {
    return this.#parts.within(transaction, fn);
  }

  run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#wrote = true; // as far as is known
    return this.#run(work);
  }

  #run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.check();
    return this.#lane.run(async () => {
      const connection = this.#connection?.open === true ? this.#connection : await this.#take();
      if (!this.#parts.settings.pool) {
        this.check(); // what has ended meanwhile has given it back
        return work(connection);
      }
      try {
        this.check();
        const result = await work(connection);
        if (!this.ended && connection.transactionStatus !== 'I') throw this.#stateError('BEGIN');
        return result;
      } finally {
        if (this.#held === 0 && !this.ended) await this.#giveBack();
      }
    }, this.patience);
  }

  async transaction<T>(fn: () => T | Promise<T>, options: TransactionOptions): Promise<T> {
    const { retries = 0 } = options;
    this.#wrote ||= options.readOnly !== true;
    for (let attempt = 0; ; attempt++) {
      try {
        const { result, hooks } = await this.#run((connection) => Transaction.run(this, connection, fn, options));
        await runHooks(hooks, this.#parts);
        return result;
      } catch (error) {
        if (attempt >= retries || !isRetryable(error) || this.ended) throw error;
        await delay(Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** attempt) * (0.5 + Math.random())); // not in step with others
      }
    }
  }

  /** There is no commit to wait for, but the scope waits for the hook, as `transaction` does. */
  onCommit(hook: CommitHook): void {
    this.check();
    this.#scope.waitUntil(runHooks([hook], this.#parts));
  }

  /**
   * A cursor that outlives its statement: the connection stays with the scope until the way back is called. Throws NotSupportedError
   * SESSION_STATE where there is no session.
   */
  hold(): () => void {
    if (this.#sessionless) {
      const text = 'a cursor outside of a transaction needs a session of its own: put it into db.transaction(...)';
      throw new NotSupportedError(text, { code: 'SESSION_STATE' });
    }
    this.#held++;
    return () => this.#held--;
  }

  async release(): Promise<boolean> {
    this.check();
    return this.#lane.run(async () => {
      const connection = this.#connection;
      if (connection === undefined) return true;
      if (this.#held > 0 || connection.tainted || connection.transactionStatus !== 'I') return false;
      this.#checked = false;
      await this.#giveBack();
      return true;
    }, this.patience);
  }

  /** Roll back what was begun by hand. */
  async rollBack(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || this.#lane.busy || !connection.open || connection.transactionStatus === 'I') return;
    this.#warn('a request failed within a transaction that BEGIN had begun: it was rolled back. See db.transaction()');
    await this.#lane.run(() => rollBack(connection), this.patience);
  }

  /** The scope is over. In a process forked within it there is nothing to end: the connection is the parent's. */
  async end(): Promise<void> {
    if (this.#scope.ownerPid !== process.pid) return;
    this.#unfollow?.();
    const connection = this.#connection;
    if (connection === undefined) return;
    if (connection.busy) {
      if (!this.#scope.signal?.aborted) {
        const text =
          'a request, or a scope, ended while a statement of it ran: it is cancelled. Wait for everything that is asked for';
        this.#warn(text);
      }
      await connection.stop();
    }
    if (connection.open && connection.transactionStatus !== 'I') {
      await rollBack(connection);
      const text =
        'a request, or a scope, ended within a transaction: it was rolled back. Wait for db.transaction(), or end by COMMIT what BEGIN begins';
      this.#warn(text);
    }
    if (this.#held > 0) connection.tainted = true;
    await this.#giveBack();
  }

  #warn(text: string): void {
    this.#parts.log.warn({ database: this.#parts.alias }, text);
  }

  async #take(): Promise<Connection> {
    this.check();
    this.#followSignal();
    const before = this.#connection;
    if (before !== undefined) {
      await this.#giveBack(); // it was lost: the next statement has another one
      // Not without a word where it was in a transaction begun by hand, or had a session that others rely on.
      const stateful = before.transactionStatus !== 'I' || before.tainted || this.#held > 0;
      if (stateful && !before.failed)
        throw lost(
          new Error('it was lost between two statements, with the state of its session', { cause: before.lostBy }),
        );
    }
    const connection = await this.#parts.store.acquire(!this.#checked);
    this.#checked = true;
    if (this.ended) {
      await this.#parts.store.release(connection);
      this.check();
    }
    this.#connection = connection;
    this.#parts.onAcquire(connection, this.#scope.request);
    return connection;
  }

  async #giveBack(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#parts.onRelease(connection, this.#scope.request);
    await this.#parts.store.release(connection);
  }

  /** Where asked to: nothing runs on for a request that nobody waits for. */
  #followSignal(): void {
    if (!this.#parts.settings.cancelOnAbort || this.#unfollow !== undefined) return;
    const { signal } = this.#scope;
    if (signal === undefined) return;
    // What is cancelled only says that it was, and what is cut that it is lost.
    const onAbort = (): void => void this.#connection?.stop((cause, name) => this.#aborted(cause, name));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#unfollow = () => signal.removeEventListener('abort', onAbort); // it may outlive many scopes
  }

  get #isAborted(): boolean {
    return this.#parts.settings.cancelOnAbort && this.#scope.signal?.aborted === true;
  }

  #aborted(cause: unknown, queryName?: string): OperationalError {
    const text = 'the request was aborted, and its statements are cancelled (cancelOnAbort)';
    return new OperationalError(text, { code: 'ABORTED', queryName, cause });
  }

  #refuseState({ text, name }: Statement): void {
    const command = this.#parts.states.of(text);
    if (command !== undefined) throw this.#stateError(command, name);
  }

  #stateError(command: string, queryName?: string): NotSupportedError {
    const { pool } = this.#parts.settings;
    return new NotSupportedError(
      `${command} changes the session, and ${pool ? 'with `pool`' : 'behind a pooler in transaction mode'} the next statement may have ` +
        'another one. Use db.transaction(), and in it SET LOCAL, pg_advisory_xact_lock, CREATE TEMP ... ON COMMIT DROP',
      { code: 'SESSION_STATE', queryName },
    );
  }
}

function patienceOf(timeout: number): Patience {
  const text =
    `another statement or transaction of the same request was not done within ${timeout} ms (acquireTimeout). ` +
    'A transaction waits for ever that waits for a statement outside of it';
  return { timeout, error: () => new OperationalError(text, { code: 'ACQUIRE_TIMEOUT' }) };
}
