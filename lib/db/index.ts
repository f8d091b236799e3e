// db/: PostgreSQL connections whose life is bound to the signals of requests, workers and forks.

export type { DatabaseLog } from './scope/index.ts';
export {
  connection_acquired,
  connection_closed,
  connection_created,
  connection_discarded,
  connection_released,
  statement_executed,
  type ConnectionEvent,
  type ConnectionUse,
  type StatementEvent,
} from './connection/index.ts';
export type { ConnectionInfo } from './connection/index.ts';
export { configureDatabases } from './configure.ts';
export { connections, db, type ConfigureOptions, type Connections, type Databases } from './connections.ts';
export type { CopyOptions, CopySource } from './copy.ts';
export type { CursorOptions } from './cursor.ts';
export type { Database, DefaultRow, QueryOptions } from './database.ts';
export {
  DatabaseError,
  DataError,
  IntegrityError,
  InterfaceError,
  InternalError,
  NotSupportedError,
  OperationalError,
  PostgresError,
  ProgrammingError,
  type DatabaseErrorCode,
} from './errors/index.ts';
export type { CommitHook, Sandbox, TransactionOptions } from './scope/index.ts';
export type { DatabaseSettings } from './settings.ts';
export type { TypeParsers } from './type-parsers.ts';
export type { Listening, ListenOptions, Notification } from './listen/index.ts';
export type { ExecutedStatement, QueryResult } from './connection/index.ts';
export type { StoreStats } from './connection/index.ts';
export {
  migrate,
  MigrationError,
  migrationStatus,
  type MigrateOptions,
  type Migration,
  type MigrationErrorCode,
  type MigrationSet,
  type MigrationsOptions,
  type MigrationState,
} from './migrations/index.ts';
