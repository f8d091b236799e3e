// Listener: LISTEN on a connection of its own, one for all that listen in this process, made again when it is lost.

import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '../connection/index.ts';
import { InterfaceError } from '../errors/index.ts';
import { Lane } from '../scope/index.ts';
import { Listening, type ListenOptions } from './listening.ts';
import type { ResolvedSettings } from '../settings.ts';

const FIRST_RETRY = 100; // ms, doubled with each
const LONGEST_RETRY = 5000;
const COMMAND = 30_000; // ms that LISTEN may take
const HAS_PASSWORD = /^\w+:\/\/[^/@]*:[^/]*@/;
const LONGEST_NAME = 63; // bytes: the server cuts longer ones, and tells of them by what is left (PostgreSQL manual, 4.1.1)

export interface ListenerLog {
  warn(fields: object, message: string): void;
}

export class Listener {
  readonly #settings: ResolvedSettings;
  readonly #log: ListenerLog;
  readonly #all: Set<Listening> = new Set();
  #lane: Lane = new Lane();
  #connection: Connection | undefined;
  #suspended = false;
  #retrying = false;
  #hurry: AbortController = new AbortController(); // ends the wait for another try

  constructor(settings: ResolvedSettings, log: ListenerLog) {
    const { directUrl, connectTimeout, applicationName, ssl, types } = settings;
    // The server itself where there is a pooler before it.
    const password = HAS_PASSWORD.test(directUrl ?? '') ? undefined : settings.password;
    const direct = { url: directUrl, password, ssl, connectTimeout, applicationName, types, sessionSettings: {} };
    this.#settings = directUrl === undefined ? settings : ({ ...direct } as ResolvedSettings);
    this.#log = log;
  }

  /** Resolves when the server has been told. Rejects with TypeError for a name that no channel can have. */
  async listen(channel: string, options: ListenOptions): Promise<Listening> {
    if (channel === '' || channel.includes('\0') || Buffer.byteLength(channel) > LONGEST_NAME) {
      throw new TypeError(`listen: the name of a channel has 1 to ${LONGEST_NAME} bytes, and no NUL`);
    }
    if (this.#suspended) {
      const text = 'this process is forked from: workers listen, in a receiver of worker_started';
      throw new InterfaceError(text, { code: 'CLOSED' });
    }
    options.signal?.throwIfAborted();
    const listening = new Listening(channel, options, () => this.#leave(listening));
    this.#all.add(listening);
    try {
      await this.#alone(() => this.#tell('LISTEN', channel));
    } catch (error) {
      await listening.close();
      throw error;
    }
    return listening;
  }

  /** End all that listen. */
  async close(): Promise<void> {
    const all = [...this.#all];
    await Promise.all(all.map((listening) => listening.close()));
    await this.#connection?.close();
  }

  /** Before a fork: the connection is not to be shared, and what listens goes on in the workers. */
  async suspend(): Promise<void> {
    this.#suspended = true;
    await this.#connection?.close();
    this.#connection = undefined;
  }

  /** In a forked process: listen on a connection of its own. */
  resume(): void {
    this.#connection?.discard();
    this.#connection = undefined;
    this.#suspended = this.#retrying = false;
    this.#hurry = new AbortController();
    this.#lane = new Lane();
    if (this.#all.size > 0) void this.#again();
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const error = (): Error => new InterfaceError('the connection that listens is busy', { code: 'CLOSED' });
    return this.#lane.run(work, { timeout: COMMAND, error });
  }

  async #tell(command: 'LISTEN' | 'UNLISTEN', channel: string): Promise<void> {
    const fresh = this.#connection === undefined || !this.#connection.open;
    if (fresh && command === 'UNLISTEN') return;
    const connection = fresh ? await this.#open() : (this.#connection as Connection);
    if (!fresh) await connection.query({ text: `${command} ${quote(channel)}` }, { timeout: COMMAND });
  }

  /** A connection that listens for all there are. */
  async #open(): Promise<Connection> {
    const connection = await Connection.open(this.#settings);
    connection.onNotification(({ channel, payload = '', processId }) => {
      for (const listening of this.#all) {
        if (listening.channel === channel) listening.push({ channel, payload, backendPid: processId });
      }
    });
    const channels = new Set([...this.#all].map(({ channel }) => channel));
    const text = [...channels].map((channel) => `LISTEN ${quote(channel)}`).join('; ');
    try {
      await connection.query({ text }, { timeout: COMMAND });
    } catch (error) {
      await connection.close();
      throw error;
    }
    if (this.#all.size === 0 || this.#suspended) {
      await connection.close(); // they have left meanwhile
      return connection;
    }
    this.#connection = connection;
    void connection.closed.then(() => this.#lost(connection));
    return connection;
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    if (this.#all.size > 0 && !this.#suspended) void this.#again();
  }

  /** Until it is there again, or nobody listens any more. */
  async #again(): Promise<void> {
    if (this.#retrying) return;
    this.#retrying = true;
    const { signal } = this.#hurry;
    for (let attempt = 0; this.#all.size > 0 && !this.#suspended && this.#connection?.open !== true; attempt++) {
      try {
        await this.#alone(async () => this.#connection?.open === true || (await this.#open()));
        this.#tellReconnected();
      } catch (error) {
        if (attempt === 0) this.#log.warn({ err: error }, 'LISTEN: the connection is lost, and is tried again');
        const wait = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** attempt) * (0.5 + Math.random());
        await delay(wait, undefined, { signal }).catch(() => {});
      }
    }
    this.#retrying = false;
  }

  #tellReconnected(): void {
    for (const listening of this.#all) {
      try {
        listening.reconnected();
      } catch (error) {
        this.#log.warn({ err: error, channel: listening.channel }, 'LISTEN: onReconnect failed');
      }
    }
  }

  async #leave(listening: Listening): Promise<void> {
    if (!this.#all.delete(listening)) return;
    const { channel } = listening;
    if (this.#all.size === 0) {
      this.#hurry.abort();
      this.#hurry = new AbortController();
      const connection = this.#connection;
      this.#connection = undefined;
      await connection?.close();
    } else if (![...this.#all].some((other) => other.channel === channel)) {
      await this.#alone(() => this.#tell('UNLISTEN', channel)).catch(() => {}); // lost: the next one does not listen for it
    }
  }
}

function quote(channel: string): string {
  return `"${channel.replaceAll('"', '""')}"`;
}
