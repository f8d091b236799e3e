// Sandbox: one transaction around whatever a process asks of its databases, which is rolled back. For tests.

import type { Connection, QueryResult, Statement } from '../connection/index.ts';
import type { Checkout } from './checkout.ts';
import { runHooks } from './commit-hooks.ts';
import { currentContext, runInScope } from './context.ts';
import type { DatabaseParts } from './database-parts.ts';
import type { CommitHook, Executor, TransactionOptions } from './executor.ts';
import { Scope } from './scope.ts';
import type { Transaction } from './transaction.ts';

/** How the transaction around all ends. */
const ROLLED_BACK: unique symbol = Symbol('rolled back');

// What COMMIT would check. It is rolled back, so that constraints stay deferred for what comes after it.
const CHECK = `SAVEPOINT postfork_check; SET CONSTRAINTS ALL IMMEDIATE;
  ROLLBACK TO SAVEPOINT postfork_check; RELEASE SAVEPOINT postfork_check`;

export class Sandbox {
  readonly #scope: Scope = new Scope({});
  readonly #transactions: Map<string, Promise<Transaction>> = new Map();
  readonly #running: Promise<void>[] = [];
  readonly #onEnd: () => void;
  #end: (() => void) | undefined;
  readonly #over: Promise<void> = new Promise((resolve) => (this.#end = resolve));

  /** `onEnd`: nothing goes into it any more. For `connections`. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** Undo all that was done since it was made, and give the connection back. Idempotent; never rejects. */
  async rollBack(): Promise<void> {
    this.#onEnd();
    this.#end?.();
    await Promise.all(this.#running);
    await this.#scope.end();
  }

  /** `await using sandbox = connections.sandbox()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.rollBack();
  }

  /** What a scope asks of one database. */
  executor(scope: Scope, parts: DatabaseParts): Executor {
    const checkout = scope.checkout(parts.alias, () => parts);
    return new SandboxExecutor(checkout, parts, () => this.#transactionOf(parts));
  }

  #transactionOf(parts: DatabaseParts): Promise<Transaction> {
    let transaction = this.#transactions.get(parts.alias);
    if (transaction === undefined) {
      transaction = this.#begin(parts);
      this.#transactions.set(parts.alias, transaction);
    }
    return transaction;
  }

  #begin(parts: DatabaseParts): Promise<Transaction> {
    const { alias } = parts;
    return new Promise((resolve, reject) => {
      const whole = runInScope(this.#scope, () =>
        this.#scope
          .checkout(alias, () => parts)
          .transaction(async () => {
            resolve(transactionNow(alias));
            await this.#over;
            throw ROLLED_BACK;
          }, {}),
      );
      this.#running.push(whole.catch(reject));
    });
  }
}

/** Each statement, and each transaction, is a savepoint: what fails leaves the others as they are. */
class SandboxExecutor implements Executor {
  readonly inTransaction = false;
  readonly #checkout: Checkout;
  readonly #parts: DatabaseParts;
  readonly #outer: () => Promise<Transaction>;

  constructor(checkout: Checkout, parts: DatabaseParts, outer: () => Promise<Transaction>) {
    this.#checkout = checkout;
    this.#parts = parts;
    this.#outer = outer;
  }

  get timeout(): number {
    return this.#checkout.timeout;
  }

  query<Row>(statement: Statement): Promise<QueryResult<Row>> {
    return this.#within(() => transactionNow(this.#parts.alias).query<Row>(statement));
  }

  run<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    return this.#within(() => transactionNow(this.#parts.alias).run(work));
  }

  /** Its options are left out: they are of a whole transaction. */
  transaction<T>(fn: () => T | Promise<T>, _options: TransactionOptions): Promise<T> {
    return this.#within(fn);
  }

  heed(connection: Connection, statement: Statement): void {
    this.#checkout.heed(connection, statement);
  }

  /** There is none that is a scope's own. */
  release(): Promise<boolean> {
    return this.#checkout.release();
  }

  onCommit(hook: CommitHook): void {
    this.#checkout.onCommit(hook);
  }

  async #within<T>(work: () => T | Promise<T>): Promise<T> {
    this.#checkout.check();
    const outer = await this.#outer();
    const result = await outer.transaction(async () => {
      const given = await work();
      await transactionNow(this.#parts.alias).run((connection) => this.#checkConstraints(connection));
      return given;
    }, {});
    await runHooks(outer.takeHooks(), this.#parts);
    return result;
  }

  /** Not where a statement has failed: that the transaction cannot commit is said by its end. */
  async #checkConstraints(connection: Connection): Promise<void> {
    if (connection.transactionStatus === 'T') await connection.query({ text: CHECK }, { timeout: this.timeout });
  }
}

function transactionNow(alias: string): Transaction {
  return currentContext().transactions.get(alias) as Transaction;
}
