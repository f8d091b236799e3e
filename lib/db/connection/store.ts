// ConnectionStore: the connections of one database in one process: opened, kept and bounded.

import { Connection } from './connection.ts';
import { InterfaceError, OperationalError } from '../errors/index.ts';
import type { ResolvedSettings } from '../settings.ts';
import type { StatementWatch } from './statement-watch.ts';

const HEALTH_CHECK = 5000; // ms for a kept connection to show that it is alive
const LONGEST_PRUNE = 3_600_000; // ms; a timer takes 24 days

/** What a store is in. */
export interface StoreHost {
  /** Call `fn` for no request: connections live longer. */
  outside: <T>(fn: () => T) => T;
  onOpen(connection: Connection): void;
  onClose(connection: Connection): void;
  /** Let go of, in a process that has inherited it. */
  onDiscard(connection: Connection): void;
  /** Who is to hear of the end of a statement that is about to be sent. */
  watch(connection: Connection): ReturnType<StatementWatch>;
}

/** Numbers of one database in this process. */
export interface StoreStats {
  open: number;
  idle: number;
  inUse: number;
  /** Requests that wait for a connection. */
  waiting: number;
  /** Since the process began. */
  opened: number;
  closed: number;
}

/** Who waits is given a connection, or the place for one. */
interface Waiter {
  resolve(connection: Connection | undefined): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

export class ConnectionStore {
  readonly #settings: ResolvedSettings;
  readonly #host: StoreHost;
  #idle: Connection[] = []; // the one used last is used next: the others can grow old
  #connections: Set<Connection> = new Set();
  #waiters: Waiter[] = [];
  #examined: Set<Connection> = new Set(); // whose place, if they are no good, is that of the one who has them
  #reserved = 0; // places for connections that are being opened
  #opened = 0;
  #closed = 0;
  #ownerPid: number = process.pid;
  #pruning: NodeJS.Timeout | undefined;

  constructor(settings: ResolvedSettings, host: StoreHost) {
    this.#settings = settings;
    this.#host = host;
  }

  /**
   * A connection for its caller alone, kept or new. `check`: whether a kept one is asked with `connHealthChecks`. Rejects with
   * OperationalError CONNECT_FAILED or ACQUIRE_TIMEOUT.
   */
  async acquire(check = true): Promise<Connection> {
    if (this.#ownerPid !== process.pid) this.discardInherited();
    const kept = this.#idle.pop() ?? (this.#reserve() ? undefined : await this.#turn());
    if (kept === undefined) return this.#open();
    const owner = this.#ownerPid;
    this.#examined.add(kept);
    try {
      if (await this.#isGood(kept, check)) return kept;
      await kept.close();
    } finally {
      this.#examined.delete(kept);
    }
    if (process.pid !== owner) throw kept.foreign(); // forked meanwhile: who waits is the parent's, and so is the place
    return this.#open();
  }

  /** Give it back: kept for the next, or closed. Resolves when that is done; never rejects. */
  async release(connection: Connection): Promise<void> {
    connection.rest();
    if (!this.#connections.has(connection)) return;
    const { open, tainted, transactionStatus } = connection;
    if (!open || tainted || transactionStatus !== 'I' || this.#isOld(connection)) {
      await connection.close();
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      clearTimeout(waiter.timer);
      waiter.resolve(connection);
      return;
    }
    this.#idle.push(connection);
    this.#prune();
  }

  /** Close kept connections that have grown too old. Django's close_old_connections. */
  closeOld(): void {
    if (this.#ownerPid !== process.pid) this.discardInherited();
    if (this.#idle.length === 0) return;
    const old = this.#idle.filter((connection) => this.#isOld(connection));
    if (old.length === 0) return;
    this.#idle = this.#idle.filter((connection) => !old.includes(connection));
    for (const connection of old) void connection.close();
  }

  /** Close those that nobody uses. */
  async closeIdle(): Promise<void> {
    const idle = this.#idle;
    this.#idle = [];
    await Promise.all(idle.map((connection) => connection.close()));
  }

  /** Close all; what runs on them is lost. */
  async closeAll(): Promise<void> {
    if (this.#ownerPid !== process.pid) this.discardInherited();
    this.#idle = [];
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }

  /** In a forked process: let go of what the parent has opened, without a word to the server. */
  discardInherited(): void {
    const inherited = this.#connections;
    const waiters = this.#waiters;
    const parent = this.#ownerPid;
    this.#ownerPid = process.pid;
    this.#connections = new Set();
    this.#idle = [];
    this.#waiters = [];
    this.#reserved = this.#opened = this.#closed = 0;
    clearTimeout(this.#pruning);
    this.#pruning = undefined;
    for (const connection of inherited) {
      connection.discard();
      this.#host.onDiscard(connection);
    }
    for (const waiter of waiters) {
      clearTimeout(waiter.timer);
      const text = `process ${parent} waits for a database connection, and this is process ${process.pid}, forked from it`;
      waiter.reject(new InterfaceError(text, { code: 'FOREIGN_CONNECTION' }));
    }
  }

  get connections(): readonly Connection[] {
    return [...this.#connections];
  }

  get stats(): StoreStats {
    const open = this.#connections.size;
    const inUse = this.connections.filter((connection) => connection.inUse).length;
    return {
      open,
      idle: this.#idle.length,
      inUse,
      waiting: this.#waiters.length,
      opened: this.#opened,
      closed: this.#closed,
    };
  }

  /** A place for one more, where there is one. */
  #reserve(): boolean {
    if (this.#connections.size + this.#reserved >= this.#settings.maxConnections) return false;
    this.#reserved++;
    return true;
  }

  /** In a place that was reserved. */
  async #open(): Promise<Connection> {
    const owner = this.#ownerPid;
    let connection: Connection;
    try {
      connection = await this.#host.outside(() => Connection.open(this.#settings));
    } catch (error) {
      if (this.#ownerPid === owner) this.#reserved--; // a forked process has not reserved it
      this.#wake(); // another one may try
      throw error;
    }
    this.#reserved--;
    this.#opened++;
    this.#connections.add(connection);
    connection.used();
    connection.watch = () => this.#host.watch(connection);
    this.#host.outside(() => void connection.closed.then(() => this.#onClosed(connection)));
    this.#host.onOpen(connection);
    return connection;
  }

  #onClosed(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#idle = this.#idle.filter((kept) => kept !== connection);
    this.#closed++;
    if (this.#examined.has(connection)) this.#reserved++;
    else this.#wake();
    this.#host.onClose(connection);
  }

  /** Whether a kept connection can be used. */
  async #isGood(connection: Connection, check: boolean): Promise<boolean> {
    connection.used();
    if (connection.open && !this.#isOld(connection)) {
      if (!connection.suspect && !(check && this.#settings.connHealthChecks)) return true;
      try {
        await connection.query({ text: 'SELECT 1' }, { timeout: HEALTH_CHECK });
        connection.suspect = false;
        if (!connection.tainted) return true;
      } catch {
        // another one is taken
      }
    }
    connection.rest();
    return false;
  }

  #isOld(connection: Connection): boolean {
    const { connMaxAge } = this.#settings;
    return connMaxAge !== null && connection.age >= connMaxAge;
  }

  /** Wait for a connection that is given back, or for a place. */
  #turn(): Promise<Connection | undefined> {
    const { acquireTimeout, maxConnections } = this.#settings;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((known) => known !== waiter);
        const text =
          `none of the ${maxConnections} database connections of this process was free within ${acquireTimeout} ms ` +
          '(maxConnections, acquireTimeout)';
        reject(new OperationalError(text, { code: 'ACQUIRE_TIMEOUT' }));
      }, acquireTimeout);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.push(waiter);
    });
  }

  /** There may be a place. */
  #wake(): void {
    if (this.#waiters.length === 0 || !this.#reserve()) return;
    const waiter = this.#waiters.shift() as Waiter;
    clearTimeout(waiter.timer);
    waiter.resolve(undefined);
  }

  /** Connections that grow old while nobody asks are closed too. */
  #prune(): void {
    const { connMaxAge } = this.#settings;
    if (connMaxAge === null || this.#pruning !== undefined || this.#idle.length === 0) return;
    const oldest = Math.max(...this.#idle.map(({ age }) => age));
    const left = Math.max(0, (connMaxAge - oldest) * 1000) + 1;
    this.#pruning = setTimeout(
      () => {
        this.#pruning = undefined;
        this.closeOld();
        this.#prune();
      },
      Math.min(left, LONGEST_PRUNE),
    ).unref();
  }
}
