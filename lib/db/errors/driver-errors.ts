// From what pg throws, and the server says, to the errors of PEP 249.

import { withoutValues } from './error-values.ts';
import {
  DatabaseError,
  DataError,
  IntegrityError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PostgresError,
  ProgrammingError,
  type DatabaseErrorCode,
  type DatabaseErrorInit,
} from './errors.ts';
import { isStatementMode, poolerFix, preparedFix } from './pooler-errors.ts';

type ErrorClass = new (message: string, init: DatabaseErrorInit) => PostgresError;

// By the class of the SQLSTATE, its first two characters, as psycopg sorts them (psycopg/errors.py).
const CLASSES: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['08', OperationalError], // connection exception
  ['0A', NotSupportedError],
  ['10', ProgrammingError], // XQuery
  ['20', ProgrammingError], // case not found
  ['21', ProgrammingError], // cardinality violation
  ['22', DataError],
  ['23', IntegrityError],
  ['24', InternalError], // invalid cursor state
  ['25', InternalError], // invalid transaction state
  ['26', ProgrammingError], // invalid statement name
  ['27', OperationalError],
  ['28', OperationalError], // invalid authorization
  ['2B', InternalError],
  ['2D', InternalError],
  ['2F', OperationalError],
  ['34', ProgrammingError], // invalid cursor name
  ['38', OperationalError],
  ['39', OperationalError],
  ['3B', OperationalError],
  ['3D', ProgrammingError], // no such database
  ['3F', ProgrammingError], // no such schema
  ['40', OperationalError], // transaction rollback: serialization failure, deadlock
  ['42', ProgrammingError],
  ['44', ProgrammingError],
  ['53', OperationalError], // insufficient resources
  ['54', OperationalError],
  ['55', OperationalError],
  ['57', OperationalError], // operator intervention
  ['58', OperationalError],
  ['F0', OperationalError],
  ['HV', OperationalError],
  ['P0', ProgrammingError], // PL/pgSQL: raise
  ['XX', InternalError],
]);

// After these the server has closed the connection, or is about to: idle in transaction session timeout, transaction timeout, admin
// shutdown, crash shutdown, cannot connect now, database dropped, idle session timeout (appendix A), and the whole class 08.
const FATAL = /^(08|25P0[34]$|57P0[1-5]$)/;
// Of a socket, a TLS connection or its stream. Other codes of Node's, such as ERR_INVALID_ARG_TYPE, are no lost connection.
const SOCKET = /^(?:E[A-Z0-9]+|ERR_(?:SSL|TLS|SOCKET|STREAM)_\w+)$/;
const CLIENT = /^(?:Connection terminated|Client (?:was closed|has encountered)|[Rr]eceived (?:unexpected|invalid) )/;
const PARSER = /^(?:parse_|scan|gram)/; // the server's source files that see a statement before its parameters have values

/** What is known where an error is caught. */
export interface ErrorContext {
  /** The statement. */
  text?: string | undefined;
  queryName?: string | undefined;
  params?: readonly unknown[] | undefined;
}

/** What the server sends, as pg gives it (protocol manual, "Error and Notice Message Fields"). */
export interface ServerError extends Error {
  code: string;
  severity?: string;
  detail?: string;
  hint?: string;
  /** In characters of the statement, from 1. */
  position?: string;
  /** The server's source file that has raised it. */
  file?: string;
  constraint?: string;
  schema?: string;
  table?: string;
  column?: string;
}

/** Whether the session is over with this error. */
export function isFatal(error: PostgresError): boolean {
  return error.code === 'CONNECTION_LOST';
}

/** Of a statement, or whatever else was asked of an open connection. */
export function queryError(error: unknown, context: ErrorContext = {}): PostgresError {
  if (error instanceof PostgresError) return error;
  if (isServerError(error)) return serverError(error, context);
  const { queryName } = context;
  if (isLoss(error)) return lost(error, queryName);
  // Nothing was sent: pg cannot write a parameter, or has a statement of this name with another text.
  return new ProgrammingError(messageOf(error), { code: 'REFUSED', queryName, cause: error });
}

function isLoss(error: unknown): boolean {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return SOCKET.test(String(code)) || CLIENT.test(messageOf(error));
}

/** The connection went away under a statement. The words are the thread's, which are libpq's. */
export function lost(cause: unknown, queryName?: string): OperationalError {
  return new OperationalError('server closed the connection unexpectedly', {
    code: 'CONNECTION_LOST',
    queryName,
    cause,
  });
}

function serverError(error: ServerError, { text, queryName, params = [] }: ErrorContext): PostgresError {
  const sqlstate = error.code;
  const detail = [error.message, error.detail].filter(Boolean).join('\n');
  const message = withoutValues(error.message, sqlstate, params);
  hideValues(error);
  if (message !== error.message) {
    error.stack = error.stack?.replace(error.message, () => message) ?? message;
    error.message = message;
  }
  const { constraint, schema, table, column } = error;
  const code = endsSession(error) ? 'CONNECTION_LOST' : 'REFUSED';
  const ErrorOf = classOf(error, code);
  const fix = code === 'REFUSED' ? refusedFix(sqlstate, message, queryName) : poolerFix(message);
  const place = { constraint, schema, table, column };
  const hint = PARSER.test(error.file ?? '') ? error.hint : undefined;
  const line = lineOf(error, text);
  return new ErrorOf(fix ? `${message}; ${fix}` : message, {
    code,
    sqlstate,
    queryName,
    line,
    detail,
    hint,
    ...place,
    cause: error,
  });
}

function refusedFix(sqlstate: string, message: string, queryName: string | undefined): string | undefined {
  if (sqlstate === '42501' && message.startsWith('permission denied for schema')) {
    return 'its owner has to GRANT USAGE, and CREATE for new tables, ON SCHEMA to this role (public too, since PostgreSQL 15)';
  }
  return queryName === undefined ? undefined : preparedFix(sqlstate);
}

/**
 * A wrong number of parameters is a violation of the protocol to the server, and a ProgrammingError in PEP 249. What ends the session is
 * an OperationalError, also a transaction_timeout (25P04).
 */
function classOf({ code, file, message }: ServerError, ours: DatabaseErrorCode): ErrorClass {
  if (isStatementMode(message)) return NotSupportedError;
  if (ours === 'CONNECTION_LOST') return OperationalError;
  if (code === '08P01' && file === 'postgres.c') return ProgrammingError;
  return CLASSES.get(code.slice(0, 2)) ?? DatabaseError;
}

/** Undefined where there is but one line. */
function lineOf({ position }: ServerError, text = ''): number | undefined {
  if (position === undefined || !text.includes('\n')) return undefined;
  return (
    Array.from(text) // the server counts characters, not UTF-16's halves
      .slice(0, Number(position) - 1)
      .filter((character) => character === '\n').length + 1
  );
}

/** A function may raise the same SQLSTATEs, as an ERROR of a source file; poolers know no files. The severity is in the server's language. */
function endsSession({ code, severity = '', file }: ServerError): boolean {
  if (severity === 'ERROR' && file !== undefined) return false;
  return FATAL.test(code) || severity === 'FATAL' || severity === 'PANIC';
}

/** These fields may quote rows and statements. They stay where they are, but nobody prints them. */
export function hideValues(error: ServerError): void {
  for (const key of ['detail', 'where', 'internalQuery', 'hint']) {
    if (key in error) Object.defineProperty(error, key, { enumerable: false });
  }
}

/** Whether the server has said it. */
export function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && 'code' in error && /^[0-9A-Z]{5}$/.test(String(error.code));
}

/** Of an AggregateError (a name with several addresses) the first, which says something. */
export function messageOf(error: unknown): string {
  const [first] = (error as Partial<AggregateError> | null | undefined)?.errors ?? [];
  if (first !== undefined) return messageOf(first);
  const message = (error as Partial<Error> | null | undefined)?.message;
  return typeof message === 'string' ? message : String(error);
}
