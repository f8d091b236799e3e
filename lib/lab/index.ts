// lab/: what is tried for real. Throw-away servers for it, for specs and for demonstrations.

export {
  LighttpdServer,
  NginxServer,
  PgbouncerServer,
  PostgresServer,
  type LighttpdServerOptions,
  type NginxServerOptions,
  type PgbouncerOptions,
  type PostgresOptions,
  type StopMode,
  type WebServer,
} from './servers/index.ts';
