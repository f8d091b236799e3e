// errors/: the errors of databases, and how they come from what the driver throws.

export { connectError } from './connect-errors.ts';
export { type ErrorContext, isFatal, lost, queryError } from './driver-errors.ts';
export {
  DatabaseError,
  type DatabaseErrorCode,
  DataError,
  IntegrityError,
  InterfaceError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PostgresError,
  ProgrammingError,
} from './errors.ts';
export { callers, withCaller } from './stack.ts';
