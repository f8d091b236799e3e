// Run: what was written down of one cell's run.

import type { Cell } from '../result.ts';
import type { JournalLine } from '../site/index.ts';
import type { Failure } from './client.ts';
import type { ServerLog } from './server-log.ts';

export interface Run {
  readonly cell: Cell;
  readonly requests: number;
  /** By the number of the request. */
  readonly failures: ReadonlyMap<number, Failure>;
  readonly journal: readonly JournalLine[];
  readonly postgres: ServerLog;
  readonly pgbouncer: ServerLog | undefined;
  readonly refused: string | null;
  /** Processes that had the socket of the import's connection before the first request; null where nobody can tell. */
  readonly copies: number | null;
  /** Workers that have died. */
  readonly deaths: number;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly seconds: number;
}
