// What the report calls things, and how it writes lists and numbers.

import type { Cell, DeploymentKind, Driver, FailureKind, Fix } from '../result.ts';

interface FixWords {
  readonly name: string;
  /** The name on two lines of a narrow column. */
  readonly short: readonly [string, string];
  readonly explanation: string;
}

/** In the order of the columns. */
export const FIXES: Readonly<Record<Fix, FixWords>> = {
  none: {
    name: 'no fix',
    short: ['no fix', ''],
    explanation: 'As in the thread: request_finished closes the connection, nothing else does.',
  },
  lazy: {
    name: 'no query at import',
    short: ['no query', 'at import'],
    explanation: 'Configuration is read at the first request: nothing is open when the workers are forked.',
  },
  started: {
    name: 'request_started closes',
    short: ['started', 'closes'],
    explanation: "The thread's workaround: each request drops what it finds open and connects anew.",
  },
  'pgbouncer-strict': {
    name: 'pgbouncer, strict close',
    short: ['pgbouncer', 'strict'],
    explanation: 'A pooler in between; closing what is already closed raises InterfaceError.',
  },
  'pgbouncer-lenient': {
    name: 'pgbouncer, lenient close',
    short: ['pgbouncer', 'lenient'],
    explanation: 'A pooler in between; closing what is already closed does nothing.',
  },
  postfork: {
    name: 'Postfork’s connections',
    short: ['Postfork’s', 'connections'],
    explanation: 'A forked child discards what it inherited: the descriptor is closed, nothing is sent.',
  },
  guard: {
    name: 'fork guard',
    short: ['fork', 'guard'],
    explanation: 'Postfork looks for open connections before it forks, and refuses.',
  },
};

/** In the order of the rows. */
export const DEPLOYMENTS: Readonly<Record<DeploymentKind, string>> = {
  'in-process': 'no FastCGI, no fork: mod_python’s place',
  single: 'one process: the thread’s “threaded”',
  spawn: 'each worker imports the application itself',
  fork: 'workers are forked after the import',
};

/** In the order of the groups. */
export const DRIVERS: Readonly<Record<Driver, string>> = {
  pg: 'pg that reads only while a query of its own is in flight, as blocking drivers do',
  'pg-native': 'libpq, the library under psycopg2',
  'pg-plain': 'pg as it comes: it reads while it is idle, so answers are taken by whoever wakes first',
};

export const KINDS: Readonly<Record<FailureKind, { readonly name: string; readonly explanation: string }>> = {
  OperationalError: {
    name: 'OperationalError',
    explanation: 'The query was sent on a connection whose session somebody else had ended.',
  },
  InterfaceError: {
    name: 'InterfaceError',
    explanation: 'The request_finished receiver closed a connection that was closed already, and that failed the page.',
  },
  crossed: {
    name: 'crossed answers',
    explanation:
      'Two children wait for an answer on one socket: who wakes first takes what has come, so a page has rows that another request asked for.',
  },
  hang: {
    name: 'hang',
    explanation: 'The other side of it: this request waits for an answer that another child has already taken.',
  },
  death: {
    name: 'death of the worker',
    explanation: 'An answer, or the end of the connection, came to a process that expected nothing, and ended it.',
  },
  other: { name: 'other', explanation: 'Anything else; its text is among the errors.' },
};

/** `4 workers` and `max-requests 5`; nothing where there is one process that lives for ever. */
export function sizeOf({ deployment, workers, maxRequests }: Cell): readonly string[] {
  const forked = deployment === 'fork' || deployment === 'spawn';
  return [
    ...(forked ? [count(workers, 'worker')] : []),
    ...(forked || maxRequests > 0 ? [`max-requests ${maxRequests}`] : []),
  ];
}

export function keysOf<Key extends string>(record: Readonly<Record<Key, unknown>>): readonly Key[] {
  return Object.keys(record) as Key[];
}

/** `a, b and c`. */
export function list(items: readonly (string | number)[], last = 'and'): string {
  if (items.length < 2) return items.join('');
  return `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`;
}

export function count(number: number, name: string): string {
  return `${number} ${name}${number === 1 ? '' : 's'}`;
}

/** `9.4 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `pgbouncer with strict close`: a fix's name within a sentence. */
export function nameInText(fix: Fix): string {
  return fix === 'guard' ? `the ${FIXES[fix].name}` : FIXES[fix].name.replace(',', ' with');
}
