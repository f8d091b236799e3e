// ConnectionLives: what became of this process's database connections, as their signals tell it.

import { AsyncLocalStorage } from 'node:async_hooks';
import { signals, type HttpRequest, type Middleware } from 'postfork';
import { connection_closed, connection_created, db, type ConnectionInfo } from 'postfork/db';

/** A request that has used a connection. Times are ms since 1970. */
export interface Use {
  readonly request: string;
  readonly from: number;
  /** Undefined: it goes on. */
  until: number | undefined;
}

export interface Life {
  readonly id: number;
  /** `pid` in pg_stat_activity. */
  readonly backendPid: number;
  readonly openedAt: number;
  /** Undefined: it is open. */
  closedAt: number | undefined;
  /** How many have used it, also those that are not among `uses`. */
  count: number;
  /** The last of those that are known. */
  readonly uses: Use[];
}

const MAX_LIVES = 200;
const MAX_USES = 100; // of one connection
const MAX_PATH = 80; // characters

export class ConnectionLives {
  readonly #lives: Life[] = [];
  readonly #open: Map<Life, ConnectionInfo> = new Map();
  readonly #using: WeakMap<HttpRequest, Use> = new WeakMap();
  readonly #request: AsyncLocalStorage<HttpRequest> = new AsyncLocalStorage();

  /** Hear the signals from now on. */
  follow(): void {
    connection_created.connect(({ connection }) => this.#opened(connection));
    connection_closed.connect(({ connection }) => this.#closed(connection));
    signals.request_finished.connect(({ request }) => {
      const use = this.#using.get(request);
      if (use !== undefined) use.until = Date.now();
    });
  }

  /** A layer that lets connection_created know for whom: the signal is sent where the request asks for its first query. */
  get layer(): Middleware {
    return (request, next) => this.#request.run(request, () => next(request));
  }

  /** The oldest first. */
  get all(): readonly Life[] {
    for (const [life, { uses }] of this.#open) life.count = uses;
    return this.#lives;
  }

  /**
   * Note which connection a request has. No signal tells that of one that was kept: the server is asked, for this request's own
   * connection, so call it where the request has made a query anyway.
   */
  async note(request: HttpRequest): Promise<void> {
    const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid', [], { name: 'own backend' });
    const life = this.#lives.find(({ backendPid, closedAt }) => backendPid === rows[0]?.pid && closedAt === undefined);
    if (life !== undefined) this.#use(life, request);
  }

  #opened(connection: ConnectionInfo): void {
    const { id, backendPid, openedAt, uses } = connection;
    const life = { id, backendPid, openedAt: openedAt.getTime(), closedAt: undefined, count: uses, uses: [] };
    this.#open.set(life, connection);
    this.#lives.push(life);
    if (this.#lives.length > MAX_LIVES) this.#forgetOne();
    const request = this.#request.getStore();
    if (request !== undefined) this.#use(life, request);
  }

  #closed(connection: ConnectionInfo): void {
    const life = [...this.#open.keys()].find(({ id }) => id === connection.id);
    if (life === undefined) return;
    life.closedAt = Date.now();
    life.count = connection.uses;
    this.#open.delete(life);
  }

  #use(life: Life, request: HttpRequest): void {
    if (this.#using.has(request)) return;
    const use = {
      request: `${request.method} ${request.target.replace(/\?.*/, '').slice(0, MAX_PATH)}`,
      from: Date.now(),
      until: undefined,
    };
    this.#using.set(request, use);
    life.uses.push(use);
    if (life.uses.length > MAX_USES) life.uses.shift();
  }

  /** The oldest that is closed; no more than maxConnections are open. */
  #forgetOne(): void {
    const at = this.#lives.findIndex(({ closedAt }) => closedAt !== undefined);
    this.#lives.splice(Math.max(at, 0), 1);
  }
}
