// The gateway's options, with their defaults.

import type { Access } from './access.ts';
import type { Problem } from './problem.ts';

export interface GatewayOptions {
  /** Where the application listens: `unix:/run/app.sock`, `tcp:127.0.0.1:9000` or `tcp:[::1]:9000`. */
  to: string;
  /**
   * Milliseconds for the application to begin its answer (then it is a 504), for each next piece of it, and for a client to take a
   * piece (then the answer is cut). Default 60,000.
   */
  timeout?: number;
  /** Connections to the application; further requests wait for one. Default 256. */
  maxConnections?: number;
  /** Keep connections to the application for further requests. Default true. */
  keepConn?: boolean;
  /**
   * Bytes of a body that comes chunked, without its length: FastCGI wants the length first, so it is kept in memory until it is
   * complete. A longer one is a 413. Bodies with a length stream, whatever it is. Default 16 MiB.
   */
  maxChunkedBody?: number;
  /** Asked before each request: while it gives a problem, that is the answer. Must not throw. */
  before?: () => Problem | undefined | Promise<Problem | undefined>;
  /** Told of each request, when it is over. Must not throw. */
  onAccess?: (access: Access) => void;
  /** Told line by line what the application writes to STDERR, and what is wrong with its answers. Must not throw. */
  onLog?: (line: string) => void;
}

export type Settings = Required<Omit<GatewayOptions, 'to'>> & { readonly to: string };

const LONGEST = 0x7fffffff; // ms; setTimeout takes 31 bits, and longer ones fire at once
const ignore = (): undefined => {};

/** Options with their defaults. Throws RangeError for a bound that is not one. */
export function settingsOf(options: GatewayOptions): Settings {
  return {
    to: options.to,
    timeout: Math.min(positive('timeout', options.timeout ?? 60_000), LONGEST),
    maxConnections: positive('maxConnections', options.maxConnections ?? 256),
    keepConn: options.keepConn ?? true,
    maxChunkedBody: positive('maxChunkedBody', options.maxChunkedBody ?? 16 * 1024 * 1024),
    before: options.before ?? ignore,
    onAccess: options.onAccess ?? ignore,
    onLog: options.onLog ?? ignore,
  };
}

function positive(name: string, value: number): number {
  if (!(value >= 1)) throw new RangeError(`${name}: ${value} is not a positive number`);
  return value;
}
