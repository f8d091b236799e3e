// The client's options: bounds and deadlines with their defaults.

import { MAX_REQUEST_ID } from '../protocol/index.ts';
import { parseAddress, type Address } from './address.ts';

/** Told of every record, as its header passes. */
export type OnRecord = (direction: 'sent' | 'received', type: number, id: number, contentLength: number) => void;

/** Bounds and deadlines: milliseconds and bytes. `Infinity` lifts one. */
export interface Limits {
  /** Open connections. Default 8. */
  maxConnections: number;
  /** Requests at the same time on one connection; more than 1 multiplexes once all connections are busy. Default 1. */
  maxRequestsPerConnection: number;
  /** Requests that wait for a connection; a further one fails with `QUEUE_FULL`. Default 1000. */
  maxQueue: number;
  /** For a request to wait for a connection. Default 30,000. */
  queueTimeout: number;
  /** For a connection to be made. Default 5000. */
  connectTimeout: number;
  /** From the last of the request that went out to the response's head. Default 60,000. */
  headTimeout: number;
  /** Without a byte of the body while there is room for it. Default 60,000. */
  bodyTimeout: number;
  /** Of a kept connection without a request. Default 60,000. */
  idleTimeout: number;
  /** For END_REQUEST to come after ABORT_REQUEST, before the connection is given up. Default 5000. */
  abortTimeout: number;
  /** Multiplexing: how long a reader that does not read may hold up the others on its connection. Default 10,000. */
  stallTimeout: number;
  /** For active requests to end in `close()`. Default 5000. */
  closeTimeout: number;
  /** Bytes kept for a slow reader alone on its connection before the socket is paused. Default 64 KiB. */
  window: number;
  /** The same for each request where connections are multiplexed. Default 1 MiB. */
  multiplexWindow: number;
  /** Bytes of a response's head. Default 64 KiB. */
  maxHeadBytes: number;
  /** Bytes of STDERR kept for each request, the first ones. Default 64 KiB. */
  maxStderrBytes: number;
  /** Bytes that `bytes()`, `text()` and `json()` collect. Default 64 MiB. */
  maxBodyBytes: number;
}

export interface ClientOptions extends Partial<Limits> {
  /** `unix:/run/app.sock`, `tcp:127.0.0.1:9000` or `tcp:[::1]:9000`. */
  address: string;
  /** Keep connections for further requests (KEEP_CONN, 5.1). Default true. */
  keepConn?: boolean;
  /** Told of every record in both directions. Must not throw. */
  onRecord?: OnRecord;
}

export interface Settings extends Limits {
  readonly address: Address;
  readonly keepConn: boolean;
  readonly onRecord: OnRecord | undefined;
}

export const DEFAULTS: Readonly<Limits> = {
  maxConnections: 8,
  maxRequestsPerConnection: 1,
  maxQueue: 1000,
  queueTimeout: 30_000,
  connectTimeout: 5000,
  headTimeout: 60_000,
  bodyTimeout: 60_000,
  idleTimeout: 60_000,
  abortTimeout: 5000,
  stallTimeout: 10_000,
  closeTimeout: 5000,
  window: 64 * 1024,
  multiplexWindow: 1024 * 1024,
  maxHeadBytes: 64 * 1024,
  maxStderrBytes: 64 * 1024,
  maxBodyBytes: 64 * 1024 * 1024,
};

/** Options with their defaults. Throws RangeError for a bound that is not one, ClientError `BAD_ADDRESS`. */
export function settingsOf(options: ClientOptions): Settings {
  const limits: Limits = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value >= (name === 'maxQueue' ? 0 : 1))) {
      throw new RangeError(`${name}: ${value} is not a positive number`);
    }
    limits[name] = value;
  }
  limits.maxRequestsPerConnection = Math.min(limits.maxRequestsPerConnection, MAX_REQUEST_ID);
  return {
    ...limits,
    address: parseAddress(options.address),
    keepConn: options.keepConn ?? true,
    onRecord: options.onRecord,
  };
}
