// Real servers of one's own, that end with the process that started them.

export { Keeper } from './keeper.ts';
export { LighttpdServer, type LighttpdServerOptions } from './lighttpd-server.ts';
export { NginxServer, type NginxServerOptions } from './nginx-server.ts';
export { PgbouncerServer, type PgbouncerOptions } from './pgbouncer-server.ts';
export { PostgresServer, type PostgresOptions, type StopMode } from './postgres-server.ts';
export { serverPath } from './server-path.ts';
export { ServerProcess } from './server-process.ts';
export { makeServerFolder } from './server-folder.ts';
export type { WebServer } from './web-server.ts';
