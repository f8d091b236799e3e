// From what pg throws, and the server says, to the errors of PEP 249.

import {
  DatabaseError,
  DataError,
  IntegrityError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PostgresError,
  ProgrammingError,
  type DatabaseErrorInit,
} from './errors.ts';

type ErrorClass = new (message: string, init: DatabaseErrorInit) => PostgresError;

// By the class of the SQLSTATE, its first two characters, as psycopg sorts them (psycopg/errors.py).
const CLASSES: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['08', OperationalError], // connection exception
  ['0A', NotSupportedError],
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

// After these the server has closed the connection, or is about to: admin shutdown, crash shutdown, cannot connect now, database dropped,
// idle session timeout (appendix A, class 57), and the whole class 08.
const FATAL = /^(08|57P0[1-5]$)/;
const DATA = '22';
const MANY = 4; // characters from which on a parameter is taken out of a message wherever it stands

/** What is known where an error is caught. */
export interface ErrorContext {
  queryName?: string | undefined;
  params?: readonly unknown[] | undefined;
}

/** What the server sends, as pg gives it (protocol manual, "Error and Notice Message Fields"). */
interface ServerError extends Error {
  code: string;
  severity?: string;
  detail?: string;
  constraint?: string;
  schema?: string;
  table?: string;
  column?: string;
}

/** Whether the session is over with this error. */
export function isFatal(error: PostgresError): boolean {
  return error.code === 'CONNECTION_LOST' || (error.sqlstate !== undefined && FATAL.test(error.sqlstate));
}

/** Of a statement, or whatever else was asked of an open connection. */
export function queryError(error: unknown, context: ErrorContext = {}): PostgresError {
  if (error instanceof PostgresError) return error;
  if (isServerError(error)) return serverError(error, context);
  const { queryName } = context;
  const { code } = error as NodeJS.ErrnoException;
  if (
    error instanceof Error &&
    (code !== undefined || /^(Connection terminated|Client (was closed|has encountered))/.test(error.message))
  ) {
    return lost(error, queryName);
  }
  return new OperationalError(messageOf(error), { code: 'REFUSED', queryName, cause: error });
}

/** The connection went away under a statement. The words are the thread's, which are libpq's. */
export function lost(cause: unknown, queryName?: string): OperationalError {
  return new OperationalError('server closed the connection unexpectedly', {
    code: 'CONNECTION_LOST',
    queryName,
    cause,
  });
}

/** A connection that could not be made. `place`: where to. */
export function connectError(error: unknown, place: string): OperationalError {
  const init: DatabaseErrorInit = { code: 'CONNECT_FAILED', cause: error };
  if (isServerError(error)) {
    hideValues(error);
    return new OperationalError(`no connection to ${place}: ${error.message}`, { ...init, sqlstate: error.code });
  }
  const { message } = error as Error;
  if (message === 'timeout expired') return new OperationalError(`no connection to ${place} in time`, init);
  if (/^Connection terminated/.test(message)) {
    return new OperationalError(`no connection to ${place}: the server has closed it`, init);
  }
  return new OperationalError(`no connection to ${place}: ${messageOf(error)}`, init);
}

function serverError(error: ServerError, { queryName, params = [] }: ErrorContext): PostgresError {
  const sqlstate = error.code;
  const detail = [error.message, error.detail].filter(Boolean).join('\n');
  const message = withoutValues(error.message, sqlstate, params);
  hideValues(error);
  if (message !== error.message) {
    error.stack = error.stack?.replace(error.message, () => message) ?? message;
    error.message = message;
  }
  const { constraint, schema, table, column } = error;
  const ErrorOf = CLASSES.get(sqlstate.slice(0, 2)) ?? DatabaseError;
  const code = FATAL.test(sqlstate) ? 'CONNECTION_LOST' : 'REFUSED';
  const place = { constraint, schema, table, column };
  return new ErrorOf(message, { code, sqlstate, queryName, detail, ...place, cause: error });
}

/**
 * The server's message with the values taken out: in class 22 (data exceptions) whatever stands in quotes is one. Elsewhere quotes
 * hold names, and only a parameter's own text is taken out.
 */
function withoutValues(message: string, sqlstate: string, params: readonly unknown[]): string {
  let text = sqlstate.startsWith(DATA) ? message.replace(/"[\s\S]*"/, '"..."') : message;
  for (const param of params) {
    const value =
      typeof param === 'string' || typeof param === 'number' || typeof param === 'bigint' ? String(param) : '';
    if (value.length >= MANY) text = text.replaceAll(value, '...');
  }
  return text;
}

/** These fields may quote rows and statements. They stay where they are, but nobody prints them. */
function hideValues(error: ServerError): void {
  for (const key of ['detail', 'where', 'internalQuery', 'hint']) {
    if (key in error) Object.defineProperty(error, key, { enumerable: false });
  }
}

function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && 'severity' in error && 'code' in error && /^[0-9A-Z]{5}$/.test(String(error.code));
}

/** Of an AggregateError (a name with several addresses) the first, which says something. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
