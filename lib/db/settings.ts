// DatabaseSettings: what is said of one database, with its defaults and bounds.

import type { ConnectionOptions as TlsOptions } from 'node:tls';

/** One database, as `configureDatabases` takes it. */
export interface DatabaseSettings {
  /** `postgres://user:password@host:port/database?sslmode=...`, or by parts below. Default for `default`: DATABASE_URL. */
  url?: string;
  /** A name, an address, or the folder of a unix socket. Default: PGHOST, or localhost. */
  host?: string;
  port?: number;
  user?: string;
  /** A function is asked anew for each connection: for passwords that change. */
  password?: string | (() => string | Promise<string>);
  database?: string;
  ssl?: boolean | TlsOptions;
  /** Shown in pg_stat_activity. Default: `postfork`. */
  applicationName?: string;
  /** Session settings for each connection, such as `{ search_path: 'app', statement_timeout: '5s' }`. Not behind pgbouncer. */
  sessionSettings?: Readonly<Record<string, string | number | boolean>>;

  /**
   * Seconds that a connection is kept for further requests, counted from its opening. 0: closed at the end of each request;
   * null: kept. Django's CONN_MAX_AGE. Default 0, with `pool` null.
   */
  connMaxAge?: number | null;
  /** Ask a kept connection whether it is alive, once per request, when it is first used. Django's CONN_HEALTH_CHECKS. Default false. */
  connHealthChecks?: boolean;
  /** The most connections of this process. A request that needs one more waits for `acquireTimeout`. Default 10. */
  maxConnections?: number;
  /**
   * Have a request hold a connection for each statement or transaction only, not for its whole length: more requests than
   * connections. What a statement leaves in the session (SET, temporary tables) is refused then. Default false.
   */
  pool?: boolean;

  /** For a connection to be free, in ms. Then OperationalError ACQUIRE_TIMEOUT. Default 30,000. */
  acquireTimeout?: number;
  /** For a connection to be made, in ms. Then OperationalError CONNECT_FAILED. Default 10,000. */
  connectTimeout?: number;
  /** For a statement, in ms: it is cancelled, and the error is OperationalError QUERY_TIMEOUT. 0: no bound. Default 0. */
  queryTimeout?: number;
  /** Cancel the statement that runs when its request is aborted: the client or the web server has gone. Default false. */
  cancelOnAbort?: boolean;
  /**
   * Where the connection is lost under a statement that only reads, in a request that has sent nothing but reads: open another one
   * and send it again, once per request. Default false.
   */
  retryReads?: boolean;

  /** The connections are a pooler's, such as pgbouncer's, in this mode. Default: none. */
  pooler?: 'session' | 'transaction';
  /** The server itself, beside its pooler: for LISTEN behind one in `transaction` mode. */
  directUrl?: string;
}

type Defaulted =
  | 'applicationName'
  | 'sessionSettings'
  | 'connMaxAge'
  | 'connHealthChecks'
  | 'maxConnections'
  | 'pool'
  | 'acquireTimeout'
  | 'connectTimeout'
  | 'queryTimeout'
  | 'cancelOnAbort'
  | 'retryReads';

/** Settings with nothing left open. */
export type ResolvedSettings = Readonly<Required<Pick<DatabaseSettings, Defaulted>>> &
  Readonly<Omit<DatabaseSettings, Defaulted>>;

const DEFAULTS: Required<Pick<DatabaseSettings, Defaulted>> = {
  applicationName: 'postfork',
  sessionSettings: {},
  connMaxAge: 0,
  connHealthChecks: false,
  maxConnections: 10,
  pool: false,
  acquireTimeout: 30_000,
  connectTimeout: 10_000,
  queryTimeout: 0,
  cancelOnAbort: false,
  retryReads: false,
};

const OTHERS = ['url', 'host', 'port', 'user', 'password', 'database', 'ssl', 'pooler', 'directUrl'];
const KNOWN: ReadonlySet<string> = new Set([...Object.keys(DEFAULTS), ...OTHERS]);
const TIMEOUTS = ['acquireTimeout', 'connectTimeout', 'queryTimeout'] as const;
const LONGEST = 2 ** 31 - 1; // ms that a timer takes

/** Settings with their defaults. Throws TypeError for what is unknown or out of bounds. `alias`: for its words. */
export function resolveSettings(alias: string, given: DatabaseSettings | string): ResolvedSettings {
  const settings = typeof given === 'string' ? { url: given } : given;
  const wrong = (what: string): TypeError => new TypeError(`database ${alias}: ${what}`);
  for (const key of Object.keys(settings)) {
    if (!KNOWN.has(key)) throw wrong(`there is no setting ${key}; there are ${[...KNOWN].toSorted().join(', ')}`);
  }
  const defined = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const resolved = { ...DEFAULTS, ...(settings.pool === true && { connMaxAge: null }), ...defined } as ResolvedSettings;
  const { connMaxAge, maxConnections, pooler } = resolved;
  for (const url of [resolved.url, resolved.directUrl]) {
    if (url !== undefined && !isPostgresUrl(url)) {
      throw wrong('its URL is not like postgres://user:password@host:5432/database'); // not shown: there is a password in it
    }
  }
  if (connMaxAge !== null && !(connMaxAge >= 0)) throw wrong('connMaxAge is a number of seconds from 0 on, or null');
  if (!Number.isInteger(maxConnections) || maxConnections < 1)
    throw wrong('maxConnections is a whole number from 1 on');
  for (const key of TIMEOUTS) {
    const value = resolved[key];
    if (!(value >= 0 && value <= LONGEST)) throw wrong(`${key} is a number of ms from 0 to ${LONGEST}`);
  }
  if (pooler !== undefined && pooler !== 'session' && pooler !== 'transaction') {
    throw wrong('pooler is session or transaction');
  }
  if (pooler !== undefined && Object.keys(resolved.sessionSettings).length > 0) {
    throw wrong('sessionSettings do not pass a pooler: set them for the role, ALTER ROLE ... SET ...');
  }
  return resolved;
}

function isPostgresUrl(url: string): boolean {
  return (
    /^postgres(ql)?:\/\//.test(url) &&
    URL.canParse(
      url
        .replace(/^[^:]+:/, 'http:')
        .replace('//@', '//')
        .replace(/@\//, '@host/'),
    )
  );
}

/** Whether a session lives no longer than a transaction does, as far as the application may know. */
export function isSessionless({ pool, pooler }: ResolvedSettings): boolean {
  return pool || pooler === 'transaction';
}
