// The legacy connection on pg-native: libpq, the library that psycopg2 is made of, with its words.

import { readFileSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { DriverConnection, Rows } from './driver.ts';

/** What of pg-native is used: the calls that wait, as psycopg2's do. */
interface NativeClient {
  readonly pq: { socket(): number };
  connectSync(parameters: string): void;
  querySync(sql: string): Rows;
  end(): void;
}

type NativeModule = new (options: { types: unknown }) => NativeClient;

const TEXT = { getTypeParser: () => (value: string) => value };

/** `file`: where pg-native is installed. */
export async function connectByLibpq(url: string, file: string): Promise<DriverConnection> {
  const Native = createRequire(import.meta.url)(file) as NativeModule;
  const client = new Native({ types: TEXT });
  client.connectSync(url);
  return new LibpqConnection(client);
}

class LibpqConnection implements DriverConnection {
  closed = false;
  readonly port: number | undefined;
  readonly #client: NativeClient;

  constructor(client: NativeClient) {
    this.#client = client;
    this.port = localPort(client.pq.socket());
  }

  /** PQexec: the process does nothing else until the answer is there. */
  async query(sql: string): Promise<Rows> {
    try {
      return this.#client.querySync(sql);
    } catch (error) {
      if (!(error as Error).message.startsWith('ERROR:')) this.closed = true; // not what the server answers
      throw error;
    }
  }

  /** PQfinish: Terminate, and close(2). Other processes may have the socket too. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.#client.end();
    // Its addon frees libuv's handle with its object, which may be collected before libuv has closed it: the process dies of that.
    const keep = (): unknown => this.#client;
    setImmediate(() => setImmediate(keep)); // handles are closed behind a turn's immediates
  }
}

/** Of a TCP socket that libpq has opened, as Linux tells it (proc(5)). */
function localPort(descriptor: number): number | undefined {
  try {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`))?.[1];
    const lines = readFileSync('/proc/self/net/tcp', 'latin1').split('\n').slice(1);
    const line = lines.map((text) => text.trim().split(/\s+/)).find((columns) => columns[9] === inode);
    return line === undefined ? undefined : Number.parseInt(line[1]?.split(':')[1] ?? '', 16);
  } catch {
    return undefined;
  }
}
