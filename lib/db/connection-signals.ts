// The signals of database connections.

import { Signal } from '../signals/index.ts';
import type { ConnectionInfo } from './connection.ts';

export interface ConnectionEvent {
  /** The alias of its database: `default`. */
  alias: string;
  connection: ConnectionInfo;
}

/** A connection has been opened. Django's name. `sender` is the Database. */
export const connection_created: Signal<ConnectionEvent> = new Signal('connection_created');

/** A connection is closed, by whomever. `sender` is the Database. */
export const connection_closed: Signal<ConnectionEvent> = new Signal('connection_closed');
