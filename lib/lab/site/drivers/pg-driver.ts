// The legacy connection on pg: reading like a blocking driver, or as pg comes.

import type { Socket } from 'node:net';
import pg from 'pg';
import { patientSocket } from './patient-socket.ts';
import type { DriverConnection, Rows } from './driver.ts';

const TEXT = { getTypeParser: () => (value: string) => value };

/** What pg has and its types do not tell. */
interface Wire {
  readonly stream: Socket;
  on(event: 'readyForQuery', listener: () => void): void;
}

/** It reads only while a query of its own is in flight. An idle connection's end is noticed at its next query. */
export async function connectPatiently(url: string): Promise<DriverConnection> {
  const socket = patientSocket();
  const client = new pg.Client({ connectionString: url, stream: () => socket, types: TEXT });
  client.on('error', () => {}); // the query that is in flight is told too
  wireOf(client).on('readyForQuery', () => socket.pause());
  socket.once('connect', () => socket.resume());
  await client.connect();
  return new PgConnection(client, () => socket.resume());
}

/** As anybody would write it. Without a listener for 'error', an idle connection that ends is an uncaught exception. */
export async function connectPlainly(url: string): Promise<DriverConnection> {
  const client = new pg.Client({ connectionString: url, types: TEXT });
  await client.connect();
  return new PgConnection(client, () => {});
}

class PgConnection implements DriverConnection {
  closed = false;
  readonly port: number | undefined;
  readonly #client: pg.Client;
  readonly #listen: () => void;

  constructor(client: pg.Client, listen: () => void) {
    this.#client = client;
    this.#listen = listen;
    this.port = wireOf(client).stream.localPort;
    client.once('end', () => (this.closed = true));
  }

  async query(sql: string): Promise<Rows> {
    const result = this.#client.query<Record<string, string | null>>(sql);
    this.#listen();
    try {
      return (await result).rows;
    } catch (error) {
      if ((error as Partial<pg.DatabaseError>).severity !== 'ERROR') this.closed = true; // FATAL is its last word
      throw error;
    }
  }

  async close(): Promise<void> {
    const { stream } = wireOf(this.#client);
    if (!this.closed) {
      this.closed = true;
      // Sent before it resolves, so that what another process sends on the same socket comes behind it.
      await new Promise<void>((resolve) => {
        stream.once('finish', resolve).once('close', resolve);
        void this.#client.end();
      });
    }
    stream.destroy();
  }
}

function wireOf(client: pg.Client): Wire {
  return (client as unknown as { connection: Wire }).connection;
}
