// The legacy connection on pg: reading like a blocking driver, or as pg comes.

import type { Socket } from 'node:net';
import pg from 'pg';
import { patientSocket } from './patient-socket.ts';
import type { DriverConnection, Rows } from './driver.ts';

const TEXT = { getTypeParser: () => (value: string) => value };

/** It reads only while a query of its own is in flight. An idle connection's end is noticed at its next query. */
export async function connectPatiently(url: string): Promise<DriverConnection> {
  const socket = patientSocket();
  const client = new pg.Client({ connectionString: url, stream: () => socket, types: TEXT });
  client.on('error', () => {}); // the query that is in flight is told too
  socket.once('connect', () => socket.resume());
  await client.connect();
  socket.pause();
  return new PgConnection(client, socket);
}

/** As anybody would write it. Without a listener for 'error', an idle connection that ends is an uncaught exception. */
export async function connectPlainly(url: string): Promise<DriverConnection> {
  const client = new pg.Client({ connectionString: url, types: TEXT });
  await client.connect();
  return new PgConnection(client);
}

class PgConnection implements DriverConnection {
  closed = false;
  readonly port: number | undefined;
  readonly #client: pg.Client;
  readonly #patient: Socket | undefined;

  /** `patient`: its socket, to be read only while a query runs. */
  constructor(client: pg.Client, patient?: Socket) {
    this.#client = client;
    this.#patient = patient;
    this.port = streamOf(client).localPort;
    client.once('end', () => (this.closed = true));
  }

  async query(sql: string): Promise<Rows> {
    const result = this.#client.query<Record<string, string | null>>(sql);
    this.#patient?.resume();
    try {
      return (await result).rows;
    } catch (error) {
      if ((error as Partial<pg.DatabaseError>).severity !== 'ERROR') this.closed = true; // FATAL is its last word
      throw error;
    } finally {
      this.#patient?.pause(); // not at ReadyForQuery: it may come behind an error, when the next query waits for it
    }
  }

  async close(): Promise<void> {
    const stream = streamOf(this.#client);
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

/** pg has it, and its types do not tell. */
function streamOf(client: pg.Client): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}
