// Connection: one database connection, from its opening to its end, and the process that it belongs to.

import { Socket } from 'node:net';
import type pg from 'pg';
import { cancelRequest } from './cancel-request.ts';
import { createClient } from './client.ts';
import {
  callers,
  connectError,
  type ErrorContext,
  InterfaceError,
  isFatal,
  lost,
  OperationalError,
  type PostgresError,
  queryError,
} from '../errors/index.ts';
import type { ResolvedSettings } from '../settings.ts';
import { plain, type QueryResult, type SendOptions, type Statement } from './statement.ts';
import { STOPS_WITHIN, Stopping, type StopReason } from './stopping.ts';
import { tellEnd, type StatementWatch, type Told } from './statement-watch.ts';

const GOODBYE = 5000; // ms that the server has to close a connection that was ended
const CANCELED = '57014'; // query_canceled
// Prepared statements that the server does not run any more: their result is another one since ALTER TABLE, or their name is unknown. And
// a server that only reads: it may have been a primary when it was connected to.
const STALE = /^(?:0A000|26000|25006)$/;

/** What can be told of a connection. */
export interface ConnectionInfo {
  /** Counted in the process that opened it. */
  readonly id: number;
  /** The server's process of it, `pid` in pg_stat_activity; pgbouncer gives a number of its own. */
  readonly backendPid: number;
  /** The process that opened it. */
  readonly ownerPid: number;
  readonly openedAt: Date;
  /** Requests and scopes that have used it. */
  readonly uses: number;
  readonly inUse: boolean;
}

let opened = 0;
const all: Set<Connection> = new Set(); // that are open or being opened, also those that no store has

/** In a forked process: discard whatever the parent had open, or was about to. */
export function discardInheritedConnections(): void {
  for (const connection of all) if (connection.ownerPid !== process.pid) connection.discard();
}

export class Connection implements ConnectionInfo {
  readonly id: number = ++opened;
  readonly ownerPid: number = process.pid;
  readonly openedAt: Date = new Date();
  /** Resolves when it is closed, by whomever. */
  readonly closed: Promise<void>;
  uses = 0;
  inUse = false;
  /** It is not to be kept when it is given back: what it was used for has left something in the session. */
  tainted = false;
  /** It may be dead: ask before it is used again. Django's errors_occurred. */
  suspect = false;
  /** It is lost, and its user knows: a statement has failed with that, or the transaction that it was in. */
  failed = false;
  /** What was said of its end between two statements, by the server or a pooler: an error of PEP 249. */
  lostBy: Error | undefined;
  watch: StatementWatch | undefined;
  readonly #born: number = performance.now();
  readonly #client: pg.Client;
  readonly #socket: Socket = new Socket();
  readonly #openedBy: string; // lines of a stack
  #open = false;
  #closing: Promise<void> | undefined;
  #running = false;
  readonly #stopping: Stopping = new Stopping(
    () => this.#cancel(),
    () => this.#end(),
  );

  /** Resolves when it is ready. Rejects with OperationalError CONNECT_FAILED. */
  static async open(settings: ResolvedSettings): Promise<Connection> {
    const connection = new Connection(settings);
    const { host, port } = connection.#client;
    try {
      await connection.#client.connect();
      connection.#open = true;
    } catch (error) {
      connection.#socket.destroy();
      if (connection.ownerPid !== process.pid) throw connection.foreign();
      const place = host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : `${host}:${port}`;
      throw connectError(error, isSaid(settings) ? place : `${place}, since DATABASE_URL is not set`);
    }
    return connection;
  }

  private constructor(settings: ResolvedSettings) {
    this.#openedBy = callers();
    this.#client = createClient(settings, this.#socket);
    // Without a listener it would end the process.
    this.#client.on('error', (error) => {
      this.lostBy ??= queryError(error);
      this.#end();
    });
    all.add(this);
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        all.delete(this);
        this.#open = false;
        resolve();
      });
    });
  }

  get backendPid(): number {
    return (this.#client as unknown as BackendKey).processID ?? 0;
  }

  /** Whether statements can be sent. */
  get open(): boolean {
    return this.#open && this.#closing === undefined;
  }

  /** Whether a statement runs. */
  get busy(): boolean {
    return this.#running;
  }

  /** Seconds since it was opened, by a clock that is not set. */
  get age(): number {
    return (performance.now() - this.#born) / 1000;
  }

  /** ReadyForQuery's: idle, in a transaction, in one that has failed. */
  get transactionStatus(): 'I' | 'T' | 'E' {
    return (this.#client.getTransactionStatus() as 'I' | 'T' | 'E' | null) ?? 'I';
  }

  /** Another one uses it for the first time. */
  used(): void {
    this.uses++;
    this.inUse = true;
    this.#socket.ref();
  }

  /** Nobody uses it: it keeps no process alive. */
  rest(): void {
    this.inUse = false;
    this.#socket.unref();
  }

  /** One statement; callers see to it that there is one at a time. Rejects with a PostgresError. */
  query<Row>(statement: Statement, { prepare = false, timeout = 0 }: SendOptions = {}): Promise<QueryResult<Row>> {
    const { text, values, name } = statement;
    const config: pg.QueryConfig = { text };
    if (values !== undefined) config.values = values as unknown[];
    if (prepare && name !== undefined) config.name = name;
    return this.run(
      () => this.#client.query(config) as unknown as Promise<QueryResult<Row>>,
      { text, queryName: name, params: values },
      timeout,
    );
  }

  /** Something that is like a statement, with the driver's client: COPY. Of several results the last. */
  run<T>(work: (client: pg.Client) => Promise<T>, context: ErrorContext & Told, timeout = 0): Promise<T> {
    const tell = this.watch?.();
    const result = this.#run(work, context, timeout);
    return tell === undefined ? result : tellEnd(result, context, tell);
  }

  async #run<T>(work: (client: pg.Client) => Promise<T>, context: ErrorContext & Told, timeout: number): Promise<T> {
    this.#check();
    let expired = false;
    const expire = (): void => {
      expired = true;
      void this.stop();
    };
    const timer = timeout > 0 ? setTimeout(expire, timeout) : undefined;
    try {
      this.#running = true;
      const result = await work(this.#client);
      if (!this.#isReady) await this.#ready(); // of COPY
      if (this.#stopping.cancelling !== undefined) await this.#stopping.cancelling; // so that it does not hit the next one
      return plain(Array.isArray(result) ? (result.at(-1) as T) : result);
    } catch (thrown) {
      const error = this.#errorOf(thrown, context);
      if (isFatal(error))
        this.#fail(); // what is said to be over is not waited for
      else if (error.sqlstate === undefined || !/^2[23]/.test(error.sqlstate)) this.suspect = true;
      if (!this.#isReady) await this.#ready();
      if (this.#stopping.cancelling !== undefined) await this.#stopping.cancelling;
      if (STALE.test(error.sqlstate ?? '')) this.tainted = true;
      const { why } = this.#stopping;
      if (why !== undefined && (isFatal(error) || error.sqlstate === CANCELED)) throw why(error, context.queryName);
      if (!expired) throw error;
      const text = `no answer within ${timeout} ms; the statement was cancelled`;
      throw new OperationalError(text, { code: 'QUERY_TIMEOUT', queryName: context.queryName, cause: error });
    } finally {
      clearTimeout(timer);
      this.#running = false;
      this.#stopping.over();
    }
  }

  /** Notifications for those that listen. */
  onNotification(listener: (message: pg.Notification) => void): void {
    this.#client.on('notification', listener);
  }

  /**
   * Have the server stop what runs, and wait until it has; where it does not in time, the connection is cut. Afterwards it is not kept:
   * a cancel that comes late would hit the next statement. Never rejects. `why`: what the statement fails with then, where its user
   * would not know.
   */
  stop(why?: StopReason): Promise<void> {
    if (!this.#running || this.ownerPid !== process.pid) return Promise.resolve();
    this.tainted = true;
    return this.#stopping.begin(why);
  }

  /** Stop what runs, say goodbye and close. Idempotent; never rejects. */
  close(): Promise<void> {
    if (this.ownerPid !== process.pid) this.discard();
    return (this.#closing ??= this.#close());
  }

  /**
   * Close the descriptor and send nothing: in a process that has inherited the connection by a fork, whose session is the parent's.
   * Closing would end it for all who have it.
   */
  discard(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #check(): void {
    if (this.ownerPid !== process.pid) throw this.foreign();
    if (this.#open && this.#closing === undefined) return;
    this.failed = true;
    throw lost(new Error('it was closed before', { cause: this.lostBy }));
  }

  get #isReady(): boolean {
    return (this.#client as unknown as { readyForQuery: boolean }).readyForQuery || !this.#open;
  }

  /** The server's error comes before it is ready again, and before the state of the transaction is known. */
  async #ready(): Promise<void> {
    await Promise.race([new Promise((resolve) => this.#client.once('drain', resolve)), this.closed]);
  }

  #errorOf(thrown: unknown, context: ErrorContext): PostgresError {
    return this.ownerPid === process.pid ? queryError(thrown, context) : this.foreign();
  }

  /** What to say in another process than that which opened it. */
  foreign(): InterfaceError {
    return new InterfaceError(
      `this database connection belongs to process ${this.ownerPid}, and this is process ${process.pid}, forked from it: both would ` +
        "read each other's answers. Open connections after the fork: in a request, or in a receiver of worker_started. " +
        `It was opened\n${this.#openedBy}`,
      { code: 'FOREIGN_CONNECTION' },
    );
  }

  /** Resolves when the server has heard of it, or cannot. */
  async #cancel(): Promise<void> {
    const { host, port, ssl } = this.#client;
    const { processID = 0, secretKey = 0 } = this.#client as unknown as BackendKey;
    const target = { host, port, ssl: ssl as boolean, processId: processID, secretKey };
    await cancelRequest(target, STOPS_WITHIN).catch(() => {});
  }

  async #close(): Promise<void> {
    const force = setTimeout(() => this.#socket.destroy(), GOODBYE);
    this.#socket.ref(); // until it is gone
    await this.stop(); // the server would go on with it: it does not look whether anybody reads
    this.#client.end().catch(() => {});
    await this.closed;
    clearTimeout(force);
  }

  #fail(): void {
    this.failed = true;
    this.#end();
  }

  #end(): void {
    this.#open = false;
    this.#socket.destroy();
  }
}

/** BackendKeyData, which pg keeps and its types do not tell. */
interface BackendKey {
  processID?: number;
  secretKey?: number;
}

/** Whether somebody has said where the server is. */
function isSaid({ url, host }: ResolvedSettings): boolean {
  return url !== undefined || host !== undefined || process.env['PGHOST'] !== undefined;
}
