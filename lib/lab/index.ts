// lab/: what is tried for real. Throw-away servers for it, for specs and for demonstrations.

export {
  PgbouncerServer,
  PostgresServer,
  type PgbouncerOptions,
  type PostgresOptions,
  type StopMode,
} from './servers/index.ts';
