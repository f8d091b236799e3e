// connection/: one database connection, and those of a process.

export { Connection, type ConnectionInfo, discardInheritedConnections } from './connection.ts';
export {
  connection_acquired,
  connection_closed,
  connection_created,
  connection_discarded,
  connection_released,
  type ConnectionEvent,
  type ConnectionUse,
} from './connection-signals.ts';
export type { QueryResult, Statement } from './statement.ts';
export { ConnectionStore, type StoreStats } from './store.ts';
