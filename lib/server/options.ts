// The server's options: handlers by role, bounds, deadlines.

import type { PairLimits } from '../protocol/index.ts';
import type { Handler } from './exchange.ts';
import { connectionsPossible } from './open-files.ts';

/** Where the server tells what happens. A pino logger fits. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Bounds and deadlines. Milliseconds and bytes. */
export interface Limits {
  /** Open connections; a further one is closed at once. Default 10,000, or 64 less than the files the process may open. */
  maxConnections: number;
  /** Active requests on all connections; a further one gets a complete 503 answer. Default 10,000. */
  maxActiveRequests: number;
  /** Active requests on one connection; a further one is ended with OVERLOADED. Default 100; 1 without `multiplex`. */
  maxRequestsPerConnection: number;
  /** Bytes of one request's PARAMS; more is answered with 431. Default 1 MiB. */
  maxParamsBytes: number;
  /** Pairs in one request's PARAMS; more is answered with 431. Default 1000. */
  maxParams: number;
  /** Bytes of input a request may hold before its handler takes them. Default 256 KiB. */
  inputWindow: number;
  /** Bytes a slow handler's input may take in a temporary file while others share its connection. Default 1 GiB. */
  maxSpoolBytes: number;
  /** Bytes of output waiting for the web server before writers are told to wait. Default 64 KiB. */
  outputBuffer: number;
  /** From a connection's start or a request's first byte to the end of its PARAMS. Default 10,000. */
  headersTimeout: number;
  /** Without a byte of STDIN while a handler waits for it. Default 60,000. */
  bodyTimeout: number;
  /**
   * From the call of a request's handler to the end of its answer; then a complete 504 answer, or a cut where the head was
   * sent. An answer that streams for long is cut too. Default: Infinity, none.
   */
  requestTimeout: number;
  /** Without progress in sending. Default 60,000. */
  writeTimeout: number;
  /** Of a kept connection without a request; longer than the web server's own, or requests may be lost. Default 75,000. */
  idleTimeout: number;
  /** That a handler may hold up a kept connection that nobody else is known to share, by not reading. Default 1000. */
  stallTimeout: number;
  /** For a handler to end by itself after an abort, before END_REQUEST is sent without it. Default 1000. */
  abortTimeout: number;
  /** For a web server that still sends STDIN after it was answered on a connection that is to close. Default 10,000. */
  lingerTimeout: number;
}

export interface ServerOptions extends Partial<Limits> {
  /** Answers requests of role RESPONDER. A role without a handler is ended with UNKNOWN_ROLE. */
  responder?: Handler;
  /** Answers requests of role AUTHORIZER. */
  authorizer?: Handler;
  /** Answers requests of role FILTER. */
  filter?: Handler;
  /** Whether several requests may be active on one connection (FCGI_MPXS_CONNS). Default true. */
  multiplex?: boolean;
  /** How overload beyond `maxActiveRequests` is said: a complete 503 `response` (default), or a bare OVERLOADED `status`. */
  overload?: 'response' | 'status';
  /** What a web server's half-close means for its active requests: `abort` (default), or `finish` them. */
  halfClose?: 'abort' | 'finish';
  /** Pad records to multiples of 8 bytes. Default false: some web servers mishandle padding. */
  align?: boolean;
  /** Peers that may connect: IP addresses or networks in CIDR notation; others are closed at once, unix peers too. Default: all. */
  allow?: readonly string[];
  /** Called when a request begins, right before its handler, which it must neither delay nor keep from being called. */
  onRequest?: () => void;
  log?: Logger;
}

export type Settings = Limits &
  Required<Pick<ServerOptions, 'multiplex' | 'overload' | 'halfClose' | 'align'>> & {
    log: Logger;
    onRequest: () => void;
    pairLimits: PairLimits;
  };

const nothing = (): void => {};
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export const DEFAULTS: Limits = {
  maxConnections: 10_000,
  maxActiveRequests: 10_000,
  maxRequestsPerConnection: 100,
  maxParamsBytes: 1024 * 1024,
  maxParams: 1000,
  inputWindow: 256 * 1024,
  maxSpoolBytes: 1024 * 1024 * 1024,
  outputBuffer: 64 * 1024,
  headersTimeout: 10_000,
  bodyTimeout: 60_000,
  requestTimeout: Infinity,
  writeTimeout: 60_000,
  idleTimeout: 75_000,
  stallTimeout: 1000,
  abortTimeout: 1000,
  lingerTimeout: 10_000,
};

/** Options with their defaults. Throws RangeError for a bound that is not a positive number; Infinity is one. */
export function settingsOf(options: ServerOptions): Settings {
  const limits = { ...DEFAULTS, maxConnections: Math.min(DEFAULTS.maxConnections, connectionsPossible()) };
  for (const name of Object.keys(DEFAULTS) as (keyof Limits)[]) {
    const value = options[name];
    if (value === undefined) continue;
    if (typeof value !== 'number' || !(value > 0)) throw new RangeError(`${name}: ${value} is not a positive number`);
    limits[name] = value;
  }
  const multiplex = options.multiplex ?? true;
  if (!multiplex) limits.maxRequestsPerConnection = 1;
  return {
    ...limits,
    pairLimits: { maxBytes: limits.maxParamsBytes, maxPairs: limits.maxParams },
    multiplex,
    overload: options.overload ?? 'response',
    halfClose: options.halfClose ?? 'abort',
    align: options.align ?? false,
    log: options.log ?? silent,
    onRequest: options.onRequest ?? nothing,
  };
}
