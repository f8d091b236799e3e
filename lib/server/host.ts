// Host: what a connection needs of its server.

import type { Handler } from './exchange.ts';
import type { Settings } from './options.ts';

export interface Host {
  readonly settings: Settings;
  /** Whether it takes no new connections any more. */
  readonly closing: boolean;
  handlerOf(role: number): Handler | undefined;
  /** A request would become active. False: there are as many as may be. */
  admit(): boolean;
  /** A request that was admitted is over. */
  dismiss(): void;
  /** A handler has been called, and has ended: a server that closes waits for it. */
  handlerStarted(): void;
  handlerEnded(): void;
  /** While the server closes: somebody else serves this connection from now on. False: nobody does. */
  handOver(descriptor: number): boolean;
}
