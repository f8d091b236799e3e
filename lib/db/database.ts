// Database: what an application asks of one database. Whose connection it is comes from where the call is made.

import {
  connection_acquired,
  connection_closed,
  connection_created,
  connection_discarded,
  connection_released,
  ConnectionStore,
  type QueryResult,
  statement_executed,
} from './connection/index.ts';
import {
  type CommitHook,
  type Context,
  currentContext,
  type DatabaseLog,
  type DatabaseParts,
  type Executor,
  runInTransaction,
  type Sandbox,
  type Scope,
  type TransactionOptions,
} from './scope/index.ts';
import { currentRequest } from '../signals/index.ts';
import { InterfaceError, NotSupportedError, withCaller } from './errors/index.ts';
import { copyFrom, copyTo, type CopyOptions, type CopySource } from './copy.ts';
import { cursor, type CursorOptions } from './cursor.ts';
import { Listener, type Listening, type ListenOptions } from './listen/index.ts';
import { SessionStates } from './sql/index.ts';
import { TIMEOUT, type ResolvedSettings } from './settings.ts';

export interface QueryOptions {
  /**
   * Prepare the statement under this name once on each connection, and use it again there. Also the query's name in errors. The same
   * name is always the same text. Behind a pooler in transaction mode it is a name only.
   */
  name?: string;
  /** For the answer, in ms, instead of `queryTimeout`. 0: no bound. */
  timeout?: number;
}

/** What a database is, once it is configured. */
export interface Configured {
  settings: ResolvedSettings;
  log: DatabaseLog;
  /** Call `fn` for no request: what lives longer than a request must not hold it. */
  outside: <T>(fn: () => T) => T;
}

/** A row as the driver makes it: by column name; int8 and numeric as strings, timestamps as Date, json parsed. */
export type DefaultRow = Record<string, unknown>;

export class Database {
  readonly alias: string;
  /** Where all that is asked for goes, while there is one. For `connections`. */
  sandbox: Sandbox | undefined;
  readonly #configured: () => Configured;
  #parts: DatabaseParts | undefined;
  #listener: Listener | undefined;
  readonly #told: WeakSet<Scope> = new WeakSet();

  /** `configured`: asked for at first use. For `connections`. */
  constructor(alias: string, configured: () => Configured) {
    this.alias = alias;
    this.#configured = configured;
  }

  /**
   * One statement: `$1`, `$2`, ... stand for `params`. Several, separated by `;`, can be given without parameters; the result is the
   * last one's. Rejects with the errors of PEP 249.
   */
  query<Row = DefaultRow>(
    text: string,
    params?: readonly unknown[],
    options: QueryOptions = {},
  ): Promise<QueryResult<Row>> {
    if (typeof text !== 'string') return Promise.reject(noText(text));
    const { name, timeout } = options;
    if (timeout !== undefined && !TIMEOUT.holds(timeout)) {
      return Promise.reject(new TypeError(`query: timeout is ${TIMEOUT.words}`));
    }
    const values = params?.length === 0 ? undefined : params;
    return this.#ask((executor) => executor.query<Row>({ text, values, name, timeout }));
  }

  /**
   * Run `fn` in a transaction: committed when it returns, rolled back when it throws. Within another one it is a savepoint. Statements
   * of the same request outside of `fn` wait for its end. Django's atomic().
   */
  transaction<T>(fn: () => T | Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (typeof fn !== 'function')
      return Promise.reject(new TypeError('transaction takes a function: async () => { ... }'));
    return this.#ask((executor) => executor.transaction(fn, options));
  }

  /** Call `hook` when the transaction is committed, in the order given; outside of one now. Django's on_commit(). */
  onCommit(hook: CommitHook): void {
    if (typeof hook !== 'function') throw new TypeError('onCommit takes a function');
    this.#executor().onCommit(hook);
  }

  /**
   * Give the connection back before the request ends, as before a long stream or a call that takes its time: others can have it. The next
   * statement takes one again. Resolves to false where it is kept, since something is left on it: an open transaction or cursor, or what
   * SET and the like have changed in the session. Django's connection.close().
   */
  release(): Promise<boolean> {
    return this.#ask((executor) => executor.release());
  }

  /** Whether the caller is in `transaction`. */
  get inTransaction(): boolean {
    return this.#executor().inTransaction;
  }

  /** The rows of a large result, `batch` at a time. */
  cursor<Row = DefaultRow>(
    text: string,
    params: readonly unknown[] = [],
    options: CursorOptions = {},
  ): AsyncGenerator<Row, void, undefined> {
    return cursor<Row>(this.#executor(), text, params, options);
  }

  /** COPY ... FROM STDIN. Resolves to the number of rows. */
  copyFrom(text: string, source: CopySource, options: CopyOptions = {}): Promise<number> {
    return this.#ask((executor) => copyFrom(executor, text, source, options));
  }

  /** COPY ... TO STDOUT, in pieces of any size. Other statements of the request wait until it has ended. */
  copyTo(text: string, options: CopyOptions = {}): AsyncGenerator<Buffer, void, undefined> {
    return copyTo(this.#executor(), text, options);
  }

  /**
   * LISTEN, on a connection of its own that all who listen in this process share. Resolves when the server knows; it needs no scope,
   * and goes on until it is closed. A connection that is lost is made again.
   */
  async listen(channel: string, options: ListenOptions = {}): Promise<Listening> {
    const { settings, log } = this.parts;
    if (settings.pooler === 'transaction' && settings.directUrl === undefined) {
      const text = 'LISTEN does not pass a pooler in transaction mode: give the server itself as `directUrl`';
      throw new NotSupportedError(text, { code: 'SESSION_STATE' });
    }
    this.#listener ??= new Listener(settings, log);
    return this.#listener.listen(channel, options);
  }

  /** NOTIFY: sent when the transaction is committed. `payload`: less than 8000 bytes. */
  notify(channel: string, payload = ''): Promise<void> {
    const statement = { text: 'SELECT pg_notify($1, $2)', values: [channel, payload], name: 'postfork notify' };
    return this.#ask(async (executor) => void (await executor.query(statement)));
  }

  /** Its connections in this process; undefined where it was not used. For `connections`. */
  get store(): ConnectionStore | undefined {
    return this.#parts?.store;
  }

  /** What listens; undefined where nothing has. For `connections`. */
  get listener(): Listener | undefined {
    return this.#listener;
  }

  /** Settings and connections. Throws InterfaceError NOT_CONFIGURED. For `connections`. */
  get parts(): DatabaseParts {
    return (this.#parts ??= this.#make());
  }

  #executor({ scope, transactions }: Context = currentContext()): Executor {
    const transaction = transactions.get(this.alias);
    if (transaction !== undefined) return transaction;
    return this.sandbox?.executor(scope, this.parts) ?? scope.checkout(this.alias, () => this.parts);
  }

  /**
   * What is still asked for when its scope ends fails by that, where perhaps nobody waits any more: the error is owned here, ends no
   * process, and is told of.
   */
  #ask<T>(work: (executor: Executor) => Promise<T>): Promise<T> {
    let context: Context | undefined;
    let asked: Promise<T>;
    try {
      context = currentContext();
      asked = work(this.#executor(context));
    } catch (error) {
      asked = Promise.reject(withCaller(error) as Error); // now: the one who asks need not wait
    }
    const answer: Promise<T> = asked.catch((error: unknown) => {
      const told = withCaller(error);
      if (context?.scope.ended === true) {
        answer.catch(() => {});
        this.#tellUnsent(told, context);
      }
      throw told;
    });
    return answer;
  }

  /** A forgotten `await` shows nowhere else. Once for each request; of an aborted one nobody wants to know. */
  #tellUnsent(error: unknown, { scope, request }: Context): void {
    if (this.#told.has(scope)) return;
    if (!(error instanceof InterfaceError) || error.code !== 'SCOPE_ENDED' || scope.signal?.aborted === true) return;
    this.#told.add(scope);
    const { alias } = this;
    const text = 'a statement was not sent, its request, or scope, had ended: wait for it, by `await` or `return`';
    this.parts.log.warn({ database: alias, request: nameOf(request), err: error }, text);
  }

  #make(): DatabaseParts {
    const { settings, log, outside } = this.#configured();
    const { alias } = this;
    const store = new ConnectionStore(settings, {
      outside,
      onOpen: (connection) => void connection_created.notify(this, { alias, connection }),
      onDiscard: (connection) => void connection_discarded.notify(this, { alias, connection }),
      onClose: (connection) => void connection_closed.notify(this, { alias, connection }),
      watch: (connection) => {
        if (!statement_executed.hasListeners(this)) return undefined;
        return (statement) =>
          void statement_executed.notify(this, { alias, connection, request: currentRequest(), ...statement });
      },
    });
    return {
      alias,
      settings,
      log,
      store,
      states: new SessionStates(),
      within: (transaction, fn) => runInTransaction(alias, transaction, fn),
      onAcquire: (connection, request) => void connection_acquired.notify(this, { alias, connection, request }),
      onRelease: (connection, request) => void connection_released.notify(this, { alias, connection, request }),
    };
  }
}

/** As pg's and others' are called. */
function noText(given: unknown): TypeError {
  const text = `query takes the text of a statement and its parameters: db.query('SELECT ... WHERE id = $1', [id])`;
  const those = Array.isArray(given) ? 'a template' : given === null ? 'null' : `a value of type ${typeof given}`;
  return new TypeError(`${text}; this is ${those}`);
}

/** What a log may say of a request: no query, which may hold values. */
function nameOf(request: object | undefined): string | undefined {
  const { method, path } = (request ?? {}) as { method?: unknown; path?: unknown };
  return typeof method === 'string' && typeof path === 'string' ? `${method} ${path}` : undefined;
}
