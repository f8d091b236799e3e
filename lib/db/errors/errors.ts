// The errors of databases, under the names of PEP 249, which are the thread's: OperationalError, InterfaceError, ...

/** What happened, for code. docs/errors.md explains each. */
export type DatabaseErrorCode =
  // OperationalError
  | 'CONNECT_FAILED'
  | 'CONNECTION_LOST'
  | 'COMMIT_UNKNOWN'
  | 'QUERY_TIMEOUT'
  | 'ACQUIRE_TIMEOUT'
  | 'ABORTED'
  // InterfaceError
  | 'FOREIGN_CONNECTION'
  | 'NO_SCOPE'
  | 'SCOPE_ENDED'
  | 'TRANSACTION_ENDED'
  | 'NOT_CONFIGURED'
  | 'CLOSED'
  | 'OVERFLOW'
  | 'SANDBOX'
  // ProgrammingError and NotSupportedError
  | 'TRANSACTION_ABORTED'
  | 'TRANSACTION_OPEN'
  | 'TRANSACTION_OPTIONS'
  | 'SESSION_STATE'
  // any: the server has refused a statement, and `sqlstate` says why
  | 'REFUSED';

/** What an error is made of besides its message. */
export interface DatabaseErrorInit {
  code: DatabaseErrorCode;
  /** Five characters, PostgreSQL manual, appendix A. */
  sqlstate?: string | undefined;
  /** The `name` that the query was given. */
  queryName?: string | undefined;
  constraint?: string | undefined;
  schema?: string | undefined;
  table?: string | undefined;
  column?: string | undefined;
  /** What the server's parser thinks was meant: it has seen no values. */
  hint?: string | undefined;
  /** Of a statement of several lines: the one that the server's parser stopped at, from 1. */
  line?: number | undefined;
  /** The server's own words, which may hold values of the application's: no log shows it. */
  detail?: string | undefined;
  cause?: unknown;
}

/** All of them. PEP 249's Error. Nothing that a log shows of it holds the value of a parameter. */
export class PostgresError extends Error {
  override name = 'PostgresError';
  readonly code: DatabaseErrorCode;
  declare readonly sqlstate?: string;
  declare readonly queryName?: string;
  declare readonly constraint?: string;
  declare readonly schema?: string;
  declare readonly table?: string;
  declare readonly column?: string;
  /** What may have been meant, of a statement that the server does not understand. */
  declare readonly hint?: string;
  /** Of a statement of several lines the one that the server does not understand, from 1. */
  declare readonly line?: number;
  /** The server's own words, message and detail, with the values they hold. Not enumerable: no log shows it. */
  declare readonly detail?: string;

  constructor(message: string, init: DatabaseErrorInit) {
    super(message, init.cause === undefined ? {} : { cause: init.cause });
    const { code, detail, cause: _, ...rest } = init;
    this.code = code;
    for (const [key, value] of Object.entries(rest)) {
      if (value !== undefined) Object.defineProperty(this, key, { value, enumerable: true });
    }
    if (detail !== undefined) Object.defineProperty(this, 'detail', { value: detail });
  }
}

/** The database interface was used wrongly, or is in no state to be used: nothing was asked of the server. */
export class InterfaceError extends PostgresError {
  override name = 'InterfaceError';
}

/** Something of the database. The base of those below. */
export class DatabaseError extends PostgresError {
  override name = 'DatabaseError';
}

/** Not the programmer's doing: connections that fail or are lost, time-outs, deadlocks, no memory, a shutdown. */
export class OperationalError extends DatabaseError {
  override name = 'OperationalError';
}

/** A constraint does not hold: not null, foreign key, unique, check, exclusion. */
export class IntegrityError extends DatabaseError {
  override name = 'IntegrityError';
}

/** A value that does not fit: out of range, no number, no date, too long. */
export class DataError extends DatabaseError {
  override name = 'DataError';
}

/** The statement is wrong: syntax, no such table, no right to it. */
export class ProgrammingError extends DatabaseError {
  override name = 'ProgrammingError';
}

/** The database is in a state it should not be in, or the transaction is: aborted, out of sync. */
export class InternalError extends DatabaseError {
  override name = 'InternalError';
}

/** What the server, or the pooler before it, cannot do. */
export class NotSupportedError extends DatabaseError {
  override name = 'NotSupportedError';
}
