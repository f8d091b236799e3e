// connections: the databases of an application by alias, and what is done with all their connections at once.

import { AsyncLocalStorage } from 'node:async_hooks';
import { Database, type Configured } from './database.ts';
import { type Abortable, type DatabaseLog, runInScope, Sandbox, Scope } from './scope/index.ts';
import { discardInheritedConnections, type StoreStats } from './connection/index.ts';
import { callers, InterfaceError } from './errors/index.ts';
import { checkConnectionLimits } from './limits.ts';
import { looksLikeSetting, resolveSettings, type DatabaseSettings, type ResolvedSettings } from './settings.ts';

const DEFAULT = 'default';

/** Databases by alias, each by its settings or its URL. */
export type Databases = Readonly<Record<string, DatabaseSettings | string>>;

export interface ConfigureOptions {
  /** Where warnings go: pino's, or anything with `warn` and `error`. Default: stderr. */
  log?: DatabaseLog;
}

const CONSOLE: DatabaseLog = {
  warn: (fields, message) => console.warn(lineOf(fields, message)),
  error: (fields, message) => console.error(lineOf(fields, message)),
};

export class Connections {
  readonly #databases: Map<string, Database> = new Map();
  #settings: Map<string, ResolvedSettings> | undefined;
  #log: DatabaseLog = CONSOLE;
  #configuredBy: string | undefined; // lines of a stack
  #outside: Configured['outside'] = (fn) => fn();
  #sandbox: Sandbox | undefined;

  /** See `configureDatabases`. */
  configure(databases: Databases, { log = CONSOLE }: ConfigureOptions): this {
    if (this.#settings !== undefined) {
      const text =
        'configureDatabases() was called before, or a database was used before it: once in a process, where the application is made' +
        (this.#configuredBy === undefined ? '' : `. The first call:\n${this.#configuredBy}`);
      throw new InterfaceError(text, { code: 'NOT_CONFIGURED' });
    }
    this.#settings = resolveAll(databases);
    this.#log = log;
    this.#configuredBy = callers();
    this.#outside = AsyncLocalStorage.snapshot();
    return this;
  }

  /** A database by its alias; `db` is `get('default')`. That it is not configured is said at its first use. */
  get(alias: string = DEFAULT): Database {
    let database = this.#databases.get(alias);
    if (database === undefined) {
      database = new Database(alias, () => this.#configured(alias));
      database.sandbox = this.#sandbox;
      this.#databases.set(alias, database);
    }
    return database;
  }

  /** The aliases that are configured. */
  get aliases(): string[] {
    return [...(this.#settings?.keys() ?? [])];
  }

  /**
   * Outside of requests, a length of time for connections to belong to: those opened in `fn` are closed, or kept by `connMaxAge`,
   * at its end. With `signal`, `cancelOnAbort` heeds it.
   */
  async scope<T>(fn: () => T | Promise<T>, options: Abortable = {}): Promise<T> {
    const pending: Set<Promise<void>> = new Set();
    const scope = new Scope({
      get signal() {
        return options.signal;
      },
      waitUntil(work) {
        pending.add(work);
        void work.then(() => pending.delete(work));
      },
    });
    try {
      return await runInScope(scope, fn);
    } finally {
      for (const work of pending) await work; // some of it may ask for more
      await scope.end();
    }
  }

  /**
   * For tests: from now on whatever this process asks of its databases is within one transaction of each, in requests and scopes alike,
   * until `rollBack()` undoes it. Transactions are savepoints in it, and their onCommit hooks run. Throws InterfaceError SANDBOX
   * where there is one already. Django's TestCase.
   */
  sandbox(): Sandbox {
    if (this.#sandbox !== undefined) {
      throw new InterfaceError('there is a sandbox already: await its rollBack() first', { code: 'SANDBOX' });
    }
    const sandbox = new Sandbox(() => this.#sandbox === sandbox && this.#setSandbox(undefined));
    this.#setSandbox(sandbox);
    return sandbox;
  }

  /** Close kept connections that have grown too old. Django's close_old_connections. */
  closeOld(): void {
    for (const { store } of this.#databases.values()) store?.closeOld();
  }

  /** Close all, those that listen too. They are opened anew where they are needed. Django's connections.close_all(). */
  async closeAll(): Promise<void> {
    await this.#each(({ store, listener }) => Promise.all([store?.closeAll(), listener?.close()]));
  }

  /** In a process that is to be forked: close those that nobody uses, and the one that listens. */
  async closeBeforeFork(): Promise<void> {
    await this.#each(({ store, listener }) => Promise.all([store?.closeIdle(), listener?.suspend()]));
  }

  /** In a forked process: let go of the parent's connections without a word to the server. SQLAlchemy's dispose(close=False). */
  discardInherited(): void {
    discardInheritedConnections();
    for (const { store, listener } of this.#databases.values()) {
      store?.discardInherited();
      listener?.resume();
    }
  }

  /** Warn where so many workers may open more connections than the servers take. Nobody waits for it. */
  checkLimits(workers: number): void {
    const databases = this.aliases.map((alias) => this.get(alias).parts);
    void checkConnectionLimits(databases, workers);
  }

  /** The connections of this process by alias, in numbers. */
  stats(): Record<string, StoreStats> {
    const used = [...this.#databases.values()].filter(({ store }) => store !== undefined);
    return Object.fromEntries(used.map(({ alias, store }) => [alias, store?.stats as StoreStats]));
  }

  #setSandbox(sandbox: Sandbox | undefined): void {
    this.#sandbox = sandbox;
    for (const database of this.#databases.values()) database.sandbox = sandbox;
  }

  async #each(act: (database: Database) => Promise<unknown>): Promise<void> {
    await Promise.all([...this.#databases.values()].map(act));
  }

  /** A script that only has DATABASE_URL and a scope needs no call of configureDatabases. */
  #configured(alias: string): Configured {
    this.#settings ??= resolveAll({});
    const settings = this.#settings.get(alias);
    if (settings !== undefined) return { settings, log: this.#log, outside: this.#outside };
    const text = `no database "${alias}" is configured, there are ${this.aliases.join(', ') || 'none'}: call configureDatabases({ ${alias}: { url } })`;
    throw new InterfaceError(text, { code: 'NOT_CONFIGURED' });
  }
}

/** The databases of this process. */
export const connections: Connections = new Connections();

/** The database `default`. */
export const db: Database = connections.get();

function resolveAll(databases: Databases): Map<string, ResolvedSettings> {
  if (typeof databases !== 'object' || Object.entries(databases).some(looksLikeSetting)) {
    throw new TypeError('configureDatabases takes databases by alias: configureDatabases({ default: { url, ... } })');
  }
  const given = new Map(Object.entries(databases));
  const url = process.env['DATABASE_URL'];
  const first = given.get(DEFAULT);
  if (url !== undefined && (first === undefined || (typeof first !== 'string' && !saysWhere(first)))) {
    given.set(DEFAULT, { ...(first as DatabaseSettings | undefined), url });
  }
  if (given.size === 0) {
    const text = 'no database is configured: set DATABASE_URL, or call configureDatabases({ default: { url: ... } })';
    throw new InterfaceError(text, { code: 'NOT_CONFIGURED' });
  }
  return new Map([...given].map(([alias, settings]) => [alias, resolveSettings(alias, settings)]));
}

function saysWhere({ url, host, database }: DatabaseSettings): boolean {
  return url !== undefined || host !== undefined || database !== undefined;
}

/** One line, for those without a log of their own. */
function lineOf(fields: object, message: string): string {
  const { err, database, request } = fields as { err?: unknown; database?: string; request?: string };
  const where = [database !== undefined && `database ${database}`, request].filter(Boolean).join(', ');
  const about = where === '' ? '' : ` (${where})`;
  return `postfork: ${message}${about}${err instanceof Error ? `: ${err.name}: ${err.message}` : ''}`;
}
