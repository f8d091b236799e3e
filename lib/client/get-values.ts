// GET_VALUES: asks the application for its limits (4.1).

import type { NameValues } from '../protocol/index.ts';
import { ClientError } from './client-error.ts';
import type { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { Settings } from './options.ts';
import type { Job, Pool } from './pool.ts';
import type { ValuesReceiver } from './slots.ts';

/** Asks once; takes a slot of the pool as a request does. */
export class GetValues implements Job, ValuesReceiver {
  readonly values: Promise<Map<string, string>>;
  readonly #names: readonly string[];
  readonly #settings: Settings;
  readonly #pool: Pool;
  readonly #deadline: Deadline = new Deadline();
  #connection: Connection | undefined;
  #fresh = false;
  #reused = false;
  #resolve: (values: Map<string, string>) => void = () => {};
  #reject: (error: ClientError) => void = () => {};

  constructor(names: readonly string[], settings: Settings, pool: Pool) {
    this.#names = names;
    this.#settings = settings;
    this.#pool = pool;
    this.values = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#enqueue();
  }

  get fresh(): boolean {
    return this.#fresh;
  }

  start(connection: Connection): void {
    this.#connection = connection;
    this.#reused = connection.served > 0;
    connection.query(this.#names, this);
    const { headTimeout } = this.#settings;
    this.#deadline.set(headTimeout, () => {
      this.fail(new ClientError('HEAD_TIMEOUT', `the application did not answer GET_VALUES in ${headTimeout} ms`));
      connection.forget(this);
    });
  }

  fail(error: ClientError): void {
    this.#deadline.clear();
    if (!this.#connection) this.#pool.cancel(this);
    this.#reject(error);
  }

  result(values: NameValues): void {
    this.#deadline.clear();
    this.#resolve(new Map(values));
  }

  lost(error: ClientError): void {
    this.#connection = undefined;
    if (error.code !== 'CLOSED' || !this.#reused || this.#fresh) return this.fail(error);
    this.#fresh = true;
    this.#enqueue();
  }

  #enqueue(): void {
    const { queueTimeout } = this.#settings;
    this.#deadline.set(queueTimeout, () =>
      this.fail(new ClientError('QUEUE_TIMEOUT', `no connection became free in ${queueTimeout} ms`)),
    );
    this.#pool.submit(this);
  }
}
