// The signals of database connections.

import { Signal } from '../../signals/index.ts';
import type { ConnectionInfo } from './connection.ts';
import type { ExecutedStatement } from './statement-watch.ts';

export interface ConnectionEvent {
  /** The alias of its database: `default`. */
  alias: string;
  connection: ConnectionInfo;
}

export interface ConnectionUse extends ConnectionEvent {
  /** The HttpRequest that uses it; undefined in connections.scope(). */
  request: object | undefined;
}

/** `request`: in which the statement was sent; undefined outside of one. */
export interface StatementEvent extends ConnectionUse, ExecutedStatement {}

/** A connection has been opened. Django's name. `sender` is the Database. */
export const connection_created: Signal<ConnectionEvent> = new Signal('connection_created');

/** A connection is closed, by whomever. `sender` is the Database. */
export const connection_closed: Signal<ConnectionEvent> = new Signal('connection_closed');

/** A forked process has let go of a connection that its parent has opened, and goes on having. `sender` is the Database. */
export const connection_discarded: Signal<ConnectionEvent> = new Signal('connection_discarded');

/** A request, or a scope, has a connection for itself from now on: new or kept. `sender` is the Database. */
export const connection_acquired: Signal<ConnectionUse> = new Signal('connection_acquired');

/** It has been given back, and is to be kept or closed. `sender` is the Database. */
export const connection_released: Signal<ConnectionUse> = new Signal('connection_released');

/**
 * A statement has been answered, or has failed: those of the application, and what was sent for it (BEGIN, COMMIT, FETCH, health
 * checks). Receivers are not waited for, and send no statements of their own. `sender` is the Database. Django's execute_wrapper.
 */
export const statement_executed: Signal<StatementEvent> = new Signal('statement_executed');
