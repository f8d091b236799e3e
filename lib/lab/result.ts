// What a run of the lab has found: plain data, as report.json has it.

/** How the application is served. `in-process`: no FastCGI and no fork, mod_python's place; `single`: one process, the thread's "threaded". */
export type DeploymentKind = 'in-process' | 'single' | 'spawn' | 'fork';

/**
 * What the legacy connection is written on. `pg`: reads only while a query of its own is in flight, as blocking drivers do;
 * `pg-native`: libpq; `pg-plain`: pg as it comes, which reads while it is idle.
 */
export type Driver = 'pg' | 'pg-native' | 'pg-plain';

export type WebServerName = 'lighttpd' | 'nginx';

export type Fix = 'none' | 'lazy' | 'started' | 'pgbouncer-strict' | 'pgbouncer-lenient' | 'postfork' | 'guard';

/**
 * How a request failed, as its client sees it. `crossed`: a page with somebody else's rows; `hang`: no answer within the lab's
 * time; `death`: its worker died of it; `other`: anything else, its text says what.
 */
export type FailureKind = 'OperationalError' | 'InterfaceError' | 'crossed' | 'hang' | 'death' | 'other';

/** One deployment with one fix. */
export interface Cell {
  /** `fork/none/w4/m0`, `fork/none/w4/m0/pg-native`: what --only takes. */
  readonly id: string;
  readonly deployment: DeploymentKind;
  readonly driver: Driver;
  readonly fix: Fix;
  readonly workers: number;
  /** Requests after which a worker is replaced; 0: never. */
  readonly maxRequests: number;
  /** Requests at a time; 1: one after the other. */
  readonly concurrency: number;
}

export interface CellResult {
  readonly cell: Cell;
  /** Sent. 0 where the deployment refused to start. */
  readonly requests: number;
  /** Answered with the page that was asked for. */
  readonly answered: number;
  readonly failures: Readonly<Record<FailureKind, number>>;
  /** Processes that have begun at least one request. */
  readonly workersServed: number;
  /** What the law says: workers that served - 1 where they share a connection, else 0. Null where it says nothing: concurrency, pg-plain. */
  readonly predicted: number | null;
  /** Real Django's failures of 100 (THREAD.md's measurement), where it was measured. */
  readonly django: number | null;
  /** Database connections that the application has opened, the one at import included. */
  readonly connects: number;
  /** Backends that PostgreSQL has started for the site. Postfork's first worker opens one more, to ask whether there is room for all. */
  readonly backends: number;
  /** Every different text, the most frequent first. */
  readonly errors: readonly ErrorText[];
  /** What it said instead of starting: the fork guard's refusal. */
  readonly refused: string | null;
  /** The first requests, for the picture. Of some cells only. */
  readonly timeline: Timeline | null;
  /** That the cell took. */
  readonly seconds: number;
}

export interface ErrorText {
  readonly kind: FailureKind;
  readonly text: string;
  readonly count: number;
  /** Who says it: what the client of the web server read, a process of the application, or a server in its log. */
  readonly source: 'page' | 'application' | 'postgresql' | 'pgbouncer';
}

/** Who held which connection. Times: ms since the deployment was started. */
export interface Timeline {
  /** In the order of their start: the master (the zygote, or the only process) first. */
  readonly processes: readonly TimelineProcess[];
  /** In the order of their opening. */
  readonly connections: readonly TimelineConnection[];
  /** What the servers saw of them: PostgreSQL's backends, and pgbouncer's clients where there is one. */
  readonly sessions: readonly TimelineSession[];
  /** In the order of time. */
  readonly events: readonly TimelineEvent[];
  /** Requests in the picture, of all that were sent. */
  readonly shown: number;
}

export interface TimelineProcess {
  readonly pid: number;
  /** `master`: loads the application and forks; serves nothing under `fork`. */
  readonly role: 'master' | 'worker';
  readonly from: number;
  /** When it ended; not there: it was there to the end, or nobody knows. */
  readonly to?: number;
}

export interface TimelineConnection {
  /** Counted from 1. */
  readonly id: number;
  readonly openedBy: number; // pid
  /** The session at the other end, in `sessions`; null where no server told. */
  readonly session: number | null;
  /** Processes that had a copy of it from their fork. */
  readonly inheritedBy: readonly number[];
}

export interface TimelineSession {
  readonly server: 'postgresql' | 'pgbouncer';
  /** Backend's process id; of pgbouncer the client's port. */
  readonly id: number;
  readonly from: number;
  /** Null: it was there to the end. */
  readonly to: number | null;
}

export interface TimelineEvent {
  readonly at: number;
  readonly pid: number;
  /**
   * `begin`, `end`: of a request. `open`, `query`, `close`, `discard`: what the process did to a connection (`discard`: the
   * descriptor closed, nothing sent). `error`: it failed on it, or closing did. `foreign`: it read an answer to somebody else's
   * query. `fork`: this process came to be, with a copy of what its parent had open.
   */
  readonly what: 'fork' | 'begin' | 'end' | 'open' | 'query' | 'close' | 'discard' | 'error' | 'foreign';
  /** In `connections`; null where it is about none. */
  readonly connection: number | null;
  /** Counted from 1; null outside of one: at import. */
  readonly request: number | null;
  /** The error's class and text. */
  readonly text?: string;
}

/** A run. */
export interface LabResult {
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seconds: number;
  /** What to type to have it again. */
  readonly command: string;
  readonly versions: Readonly<Record<string, string>>; // name -> version: postfork, node, postgresql, lighttpd, pgbouncer, pg, ...
  readonly webServer: WebServerName;
  readonly cells: readonly CellResult[];
  /** What was left out, and why: `pg-native: it is not installed: ...`. */
  readonly left: readonly string[];
}
