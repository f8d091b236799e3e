// ConnectionLives: what became of this process's database connections, as their signals tell it.

import type { HttpRequest } from 'postfork';
import {
  connection_acquired,
  connection_closed,
  connection_created,
  connection_released,
  type ConnectionInfo,
} from 'postfork/db';

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
  /** How many have used it. */
  count: number;
  /** The last of them. */
  readonly uses: Use[];
}

const MAX_LIVES = 200;
const MAX_USES = 100; // of one connection
const MAX_PATH = 80; // characters

export class ConnectionLives {
  readonly #lives: Life[] = [];
  readonly #open: Map<ConnectionInfo, Life> = new Map();

  /** Hear the signals from now on. */
  follow(): void {
    connection_created.connect(({ connection }) => this.#opened(connection));
    connection_acquired.connect(({ connection, request }) =>
      this.#acquired(connection, request as HttpRequest | undefined),
    );
    connection_released.connect(({ connection }) => this.#released(connection));
    connection_closed.connect(({ connection }) => this.#closed(connection));
  }

  /** The oldest first. */
  get all(): readonly Life[] {
    return this.#lives;
  }

  #opened(connection: ConnectionInfo): void {
    const { id, backendPid, openedAt } = connection;
    const life = { id, backendPid, openedAt: openedAt.getTime(), closedAt: undefined, count: 0, uses: [] };
    this.#open.set(connection, life);
    this.#lives.push(life);
    if (this.#lives.length > MAX_LIVES) this.#forgetOne();
  }

  #acquired(connection: ConnectionInfo, request: HttpRequest | undefined): void {
    const life = this.#open.get(connection);
    if (life === undefined || request === undefined) return;
    const path = request.target.replace(/\?.*/, '').slice(0, MAX_PATH);
    life.uses.push({ request: `${request.method} ${path}`, from: Date.now(), until: undefined });
    life.count = connection.uses;
    if (life.uses.length > MAX_USES) life.uses.shift();
  }

  #released(connection: ConnectionInfo): void {
    const use = this.#open.get(connection)?.uses.at(-1);
    if (use !== undefined) use.until = Date.now();
  }

  #closed(connection: ConnectionInfo): void {
    const life = this.#open.get(connection);
    if (life === undefined) return;
    life.closedAt = Date.now();
    this.#open.delete(connection);
  }

  /** The oldest that is closed; no more than maxConnections are open. */
  #forgetOne(): void {
    const at = this.#lives.findIndex(({ closedAt }) => closedAt !== undefined);
    this.#lives.splice(Math.max(at, 0), 1);
  }
}
