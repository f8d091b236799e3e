// DatabaseSettings: what is said of one database, with its defaults and bounds.

import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { isType, type TypeParsers } from './type-parsers.ts';

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
  /** Shown in pg_stat_activity. A function is asked anew for each connection. Default: `postfork`. */
  applicationName?: string | (() => string);
  /** Session settings for each connection, such as `{ search_path: 'app', statement_timeout: '5s' }`. Not behind pgbouncer. */
  sessionSettings?: Readonly<Record<string, string | number | boolean>>;
  /** How values of a type are read, such as `{ int8: Number, date: String }`. An array of it is another type. Default: as pg does it. */
  types?: TypeParsers;

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
  /** For a connection to be made, in ms, from 1 on. Then OperationalError CONNECT_FAILED. Default 10,000. */
  connectTimeout?: number;
  /**
   * For a statement, in ms: it is cancelled, and the error is OperationalError QUERY_TIMEOUT. 0: no bound. Not for COPY, whose pace is
   * that of its source or reader. Default 0.
   */
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
  | 'types'
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
  types: {},
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
const PLACE = ['host', 'port', 'user', 'database'] as const; // password and ssl go with a URL
const LONGEST = 2 ** 31 - 1; // ms that a timer takes

/** Settings with their defaults. Throws TypeError for what is unknown or out of bounds. `alias`: for its words, which show no value. */
export function resolveSettings(alias: string, given: DatabaseSettings | string): ResolvedSettings {
  const settings = typeof given === 'string' ? { url: given } : given;
  const wrong = (what: string): TypeError => new TypeError(`database ${alias}: ${what}`);
  if (typeof settings !== 'object' || settings === null) throw wrong('give its settings, or its URL as a string');
  for (const key of Object.keys(settings)) {
    if (!KNOWN.has(key)) throw wrong(`there is no setting ${key}; there are ${[...KNOWN].toSorted().join(', ')}`);
  }
  const defined = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  for (const [key, value] of Object.entries(defined)) {
    const rule = RULES[key as keyof DatabaseSettings];
    if (rule !== undefined && !rule.holds(value)) throw wrong(`${key} is ${rule.words}`);
  }
  const resolved = { ...DEFAULTS, ...(settings.pool === true && { connMaxAge: null }), ...defined } as ResolvedSettings;
  const twice = resolved.url === undefined ? undefined : PLACE.find((key) => resolved[key] !== undefined);
  if (twice !== undefined) throw wrong(`${twice} is said by its URL: give one of them`);
  const type = Object.keys(resolved.types).find((name) => !isType(name));
  if (type !== undefined) throw wrong(`types has ${type}, which is no name of pg_type's (int8, date, ...) and no OID`);
  const sessionSettings = Object.keys(resolved.sessionSettings);
  const badName = sessionSettings.find((name) => !/^[A-Za-z_][\w.]*$/.test(name));
  if (badName !== undefined) throw wrong(`sessionSettings has ${badName}, which is no name of a setting`);
  if (sessionSettings.length > 0 && resolved.pooler !== undefined) {
    throw wrong('sessionSettings do not pass a pooler: set them for the role, ALTER ROLE ... SET ...');
  }
  if (sessionSettings.length > 0 && /[?&]options=/.test(resolved.url ?? '')) {
    throw wrong('its URL has `options`, which are session settings too: give all in sessionSettings');
  }
  return resolved;
}

/** Whether of databases by alias this is none, but a setting without an alias. An alias may be called like a setting. */
export function looksLikeSetting([alias, given]: readonly [string, unknown]): boolean {
  if (alias === 'url') return true;
  return KNOWN.has(alias) && (typeof given === 'string' ? !isPostgresUrl(given) : typeof given !== 'object');
}

export interface Rule {
  holds(value: unknown): boolean;
  words: string;
}

const TEXT: Rule = { holds: (value) => typeof value === 'string', words: 'a string' };
const ASKED: Rule = {
  holds: (value) => typeof value === 'string' || typeof value === 'function',
  words: 'a string, or a function that gives one',
};
const FLAG: Rule = { holds: (value) => typeof value === 'boolean', words: 'true or false' };
export const TIMEOUT: Rule = {
  holds: (value) => isWithin(value, 0, LONGEST),
  words: `a number of ms from 0 to ${LONGEST}`,
};
const URL_OF_SERVER: Rule = {
  holds: (value) => typeof value === 'string' && isPostgresUrl(value),
  words: 'like postgres://user:password@host:5432/database, with %-codes for what is special in user and password',
};

const RULES: Readonly<Partial<Record<keyof DatabaseSettings, Rule>>> = {
  url: URL_OF_SERVER,
  directUrl: URL_OF_SERVER,
  host: TEXT,
  user: TEXT,
  database: TEXT,
  applicationName: ASKED,
  port: {
    holds: (value) => Number.isInteger(value) && isWithin(value, 1, 65_535),
    words: 'a whole number from 1 to 65535',
  },
  password: ASKED,
  ssl: {
    holds: (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null),
    words: "true, false or the options of Node's tls.connect()",
  },
  sessionSettings: {
    holds: (value) =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((setting) => ['string', 'number', 'boolean'].includes(typeof setting)),
    words: 'an object of strings, numbers and booleans by name',
  },
  types: {
    holds: (value) =>
      typeof value === 'object' && value !== null && Object.values(value).every((parse) => typeof parse === 'function'),
    words: 'an object of functions by type, such as { int8: Number }',
  },
  connMaxAge: {
    holds: (value) => value === null || isWithin(value, 0, Infinity),
    words: 'a number of seconds from 0 on, or null',
  },
  maxConnections: {
    holds: (value) => Number.isInteger(value) && (value as number) >= 1,
    words: 'a whole number from 1 on',
  },
  acquireTimeout: TIMEOUT,
  // To the driver 0 is no bound.
  connectTimeout: { holds: (value) => isWithin(value, 1, LONGEST), words: `a number of ms from 1 to ${LONGEST}` },
  queryTimeout: TIMEOUT,
  connHealthChecks: FLAG,
  pool: FLAG,
  cancelOnAbort: FLAG,
  retryReads: FLAG,
  pooler: { holds: (value) => value === 'session' || value === 'transaction', words: 'session or transaction' },
};

function isWithin(value: unknown, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}

/** As libpq has them: the host may be missing, or a folder with %-codes. A `#` is always one of a password that has none. */
function isPostgresUrl(url: string): boolean {
  if (!/^postgres(?:ql)?:\/\//.test(url)) return false;
  try {
    const { username, password, hostname, pathname, hash } = new URL(url.replace('@/', '@localhost/'));
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part);
    return hash === '';
  } catch {
    return false;
  }
}

/** Whether a session lives no longer than a transaction does, as far as the application may know. */
export function isSessionless({ pool, pooler }: ResolvedSettings): boolean {
  return pool || pooler === 'transaction';
}
