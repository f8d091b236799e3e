// DatabaseParts: what one database is made of in a process, for those that use it.

import type { Connection, ConnectionStore } from '../connection/index.ts';
import type { SessionStates } from '../sql/index.ts';
import type { ResolvedSettings } from '../settings.ts';
import type { TransactionHost } from './transaction.ts';

/** Where warnings go; pino's shape. */
export interface DatabaseLog {
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface DatabaseParts {
  alias: string;
  settings: ResolvedSettings;
  store: ConnectionStore;
  log: DatabaseLog;
  within: TransactionHost['within'];
  /** What statements leave in the session. */
  states: SessionStates;
  /** A scope has a connection from now on. `owner`: its request, where it is a request's. */
  onAcquire(connection: Connection, owner: object | undefined): void;
  /** It has it no longer. */
  onRelease(connection: Connection, owner: object | undefined): void;
}
