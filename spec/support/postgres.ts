// Real PostgreSQL and pgbouncer for specs, each spec file's own: restarts and what pg_stat_activity counts are nobody else's.

import { setTimeout as delay } from 'node:timers/promises';
import { Client, type QueryResultRow } from 'pg';
import { PgbouncerServer, PostgresServer, type PgbouncerOptions, type PostgresOptions } from '../../lib/lab/index.ts';

const STARTED_WITHIN = 60_000; // ms
const HOLDS_WITHIN = 10_000; // ms
const POLL = 10; // ms
const OURS = 'spec'; // application_name

/** A row of pg_stat_activity (PostgreSQL manual, 27.2.3). */
export interface Backend {
  pid: number;
  state: string | null;
  application_name: string;
  query: string;
  backend_start: Date;
}

export interface SpecPostgres {
  /** The server; it is there from beforeAll on. */
  readonly server: PostgresServer;
  /** DATABASE_URL by TCP. */
  url(database?: string): string;
  /** Rows of a query on a connection of the spec's own, made when it is needed. */
  admin<Row extends QueryResultRow>(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** What the server has of clients, besides the spec's own connection; oldest first. */
  backends(only?: { database?: string; applicationName?: string }): Promise<Backend[]>;
  /** Resolves with the first value that is neither false nor undefined; rejects after 10 s with what was seen last. */
  until<T>(what: string, condition: () => Promise<T | false | undefined> | T | false | undefined): Promise<T>;
}

export interface SpecPgbouncer {
  /** It is there from beforeAll on. */
  readonly server: PgbouncerServer;
  /** DATABASE_URL by TCP, through it. */
  url(database?: string): string;
  /** Rows of a command of its console, such as SHOW POOLS. */
  admin<Row extends QueryResultRow>(command: string): Promise<Row[]>;
}

/** A server that runs from beforeAll to afterAll. Call it where hooks may be registered. */
export function postgresServer(options: PostgresOptions = {}): SpecPostgres {
  let made: PostgresServer | undefined;
  let current: Promise<Client> | undefined;
  const server = (): PostgresServer => {
    if (made === undefined) throw new Error('the server is started by beforeAll: use it in hooks and tests');
    return made;
  };

  /** A restart of the server ends it; the next query makes another one. */
  const connected = (): Promise<Client> => {
    const fresh = new Client({ connectionString: server().url(), application_name: OURS });
    const forget = (): void => {
      if (current === connecting) current = undefined;
    };
    const connecting = fresh.connect().then(() => fresh);
    connecting.catch(forget);
    fresh.on('error', forget).on('end', forget);
    return connecting;
  };
  const admin: SpecPostgres['admin'] = async <Row extends QueryResultRow>(sql: string, params?: readonly unknown[]) =>
    (await (await (current ??= connected())).query<Row>(sql, params === undefined ? undefined : [...params])).rows;
  const backends: SpecPostgres['backends'] = ({ database, applicationName } = {}) =>
    admin<Backend & QueryResultRow>(
      `SELECT pid, state, application_name, query, backend_start FROM pg_stat_activity
       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
         AND ($1::text IS NULL OR datname = $1) AND ($2::text IS NULL OR application_name = $2)
       ORDER BY backend_start`,
      [database ?? null, applicationName ?? null],
    );

  beforeAll(async () => {
    made = await PostgresServer.create(options);
  }, STARTED_WITHIN);
  afterAll(async () => {
    await current?.then((client) => client.end()).catch(() => {}); // of a server that a spec has ended
    await made?.remove();
  }, STARTED_WITHIN);
  return {
    get server() {
      return server();
    },
    url: (database) => server().url(database),
    admin,
    backends,
    until: async (what, condition) => {
      const deadline = performance.now() + HOLDS_WITHIN;
      for (;;) {
        const value = await condition();
        if (value !== false && value !== undefined) return value;
        if (performance.now() > deadline) {
          const seen = await backends().catch((error: unknown) => String(error));
          throw new Error(`it does not come: ${what}; backends: ${JSON.stringify(seen, undefined, 2)}`);
        }
        await delay(POLL);
      }
    },
  };
}

/** pgbouncer in front of a server, from beforeAll to afterAll. Call it behind `postgresServer`. */
export function pgbouncerServer(
  postgres: SpecPostgres,
  options: Omit<PgbouncerOptions, 'postgres'> = {},
): SpecPgbouncer {
  let made: PgbouncerServer | undefined;
  const server = (): PgbouncerServer => {
    if (made === undefined) throw new Error('pgbouncer is started by beforeAll: use it in hooks and tests');
    return made;
  };
  beforeAll(async () => {
    made = await PgbouncerServer.create({ ...options, postgres: postgres.server });
  }, STARTED_WITHIN);
  afterAll(async () => {
    await made?.remove();
  }, STARTED_WITHIN);
  return {
    get server() {
      return server();
    },
    url: (database) => server().url(database),
    async admin<Row extends QueryResultRow>(command: string) {
      // Its console knows the simple protocol only, and each connection shows in SHOW CLIENTS: one a command.
      const client = new Client({ connectionString: server().url('pgbouncer'), application_name: OURS });
      await client.connect();
      try {
        return (await client.query<Row>(command)).rows;
      } finally {
        await client.end();
      }
    },
  };
}
