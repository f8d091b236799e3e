// Real servers of one's own, that end with the process that started them.

export { PgbouncerServer, type PgbouncerOptions } from './pgbouncer-server.ts';
export { PostgresServer, type PostgresOptions, type StopMode } from './postgres-server.ts';
