// connection/: one database connection, and those of a process.

export { Connection, type ConnectionInfo, discardInheritedConnections } from './connection.ts';
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
} from './connection-signals.ts';
export type { QueryResult, Statement } from './statement.ts';
export type { ExecutedStatement, StatementWatch } from './statement-watch.ts';
export { ConnectionStore, type StoreStats } from './store.ts';
