// LegacyConnection: Django 1.1.1's DatabaseWrapper (django/db/backends/__init__.py): one for the process, made when its module
// is imported, connected at its first query, closed when a request is finished.

import { InterfaceError, OperationalError } from '../../db/index.ts';
import type { Connect, DriverConnection, Rows } from './drivers/index.ts';
import type { Journal } from './journal.ts';
import { interpolate } from './interpolate.ts';

export interface LegacyConnectionOptions {
  url: string;
  connect: Connect;
  /** As psycopg2 of 2010: closing a connection that has failed is an error. Later ones let it pass. */
  strictClose: boolean;
  journal: Journal;
}

interface Held {
  readonly id: string;
  readonly driver: DriverConnection;
}

let opened = 0; // by this process: a copy counts on in each fork, under its own pid

export class LegacyConnection {
  readonly #options: LegacyConnectionOptions;
  #held: Held | undefined;
  #lane: Promise<void> = Promise.resolve(); // psycopg2 has a lock in each connection

  constructor(options: LegacyConnectionOptions) {
    this.#options = options;
  }

  /** What a copy of this object in a forked process has too. */
  get held(): string | undefined {
    return this.#held?.id;
  }

  /**
   * Connect where it is not connected, and run it. Rejects with OperationalError where it fails, with InterfaceError where it
   * has failed before and was not closed since.
   */
  query(sql: string, params: readonly (string | number)[], request?: number): Promise<Rows> {
    return this.#inTurn(() => this.#query(interpolate(sql, params), request));
  }

  /** Close it where it is connected, whatever another process has done to it. */
  close(request?: number): Promise<void> {
    return this.#inTurn(() => this.#close(request));
  }

  async #query(sql: string, request: number | undefined): Promise<Rows> {
    const { journal } = this.#options;
    try {
      this.#held ??= await this.#open(request);
      const { id, driver } = this.#held;
      if (driver.closed) throw this.#alreadyClosed();
      journal.note('query', { connection: id, ...(request !== undefined && { request }) });
      return await driver.query(sql);
    } catch (cause) {
      if (cause instanceof InterfaceError) throw this.#noted(cause, request);
      const { message } = cause as Error;
      throw this.#noted(new OperationalError(message, { code: 'CONNECTION_LOST', cause }), request);
    }
  }

  async #open(request: number | undefined): Promise<Held> {
    const { connect, url, journal } = this.#options;
    const driver = await connect(url);
    const id = `${process.pid}-${++opened}`;
    journal.note('open', {
      connection: id,
      ...(driver.port !== undefined && { port: driver.port }),
      ...(request !== undefined && { request }),
    });
    return { id, driver };
  }

  /** DatabaseWrapper.close(): `if self.connection is not None`, close it, then forget it. What close raises leaves it there. */
  async #close(request: number | undefined): Promise<void> {
    const { strictClose, journal } = this.#options;
    if (this.#held === undefined) return;
    const { id, driver } = this.#held;
    if (driver.closed && strictClose) throw this.#noted(this.#alreadyClosed(), request);
    await driver.close();
    this.#held = undefined;
    journal.note('close', { connection: id, ...(request !== undefined && { request }) });
  }

  /** psycopg2's words, of any use of a connection that has failed. */
  #alreadyClosed(): InterfaceError {
    return new InterfaceError('connection already closed', { code: 'CLOSED' });
  }

  #noted<E extends Error>(error: E, request: number | undefined): E {
    this.#options.journal.note('error', {
      ...(this.#held !== undefined && { connection: this.#held.id }),
      ...(request !== undefined && { request }),
      error: `${error.name}: ${error.message}`,
    });
    return error;
  }

  /** Awaited all the way, so that stacks go on to the site's own line: the fork guard shows it. */
  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const before = this.#lane;
    let leave = (): void => {};
    this.#lane = new Promise((resolve) => (leave = resolve));
    await before;
    try {
      return await act();
    } finally {
      leave();
    }
  }
}
