// Runs made by hand, for the specs of what is made of them.

import type { Cell } from '../../../lib/lab/result.ts';
import type { Run } from '../../../lib/lab/run/run.ts';
import type { Session } from '../../../lib/lab/run/server-log.ts';
import type { JournalLine } from '../../../lib/lab/site/index.ts';

/** ms since 1970 at which the deployment was started. */
export const START = 1_795_407_831_000;

const THREAD: Cell = {
  id: 'fork/none/w4/m0',
  deployment: 'fork',
  driver: 'pg',
  fix: 'none',
  workers: 4,
  maxRequests: 0,
  concurrency: 1,
};

export function makeRun(cell: Partial<Cell> = {}, rest: Partial<Run> = {}): Run {
  return {
    cell: { ...THREAD, ...cell },
    requests: 0,
    failures: new Map(),
    journal: [],
    postgres: { sessions: [], complaints: [] },
    pgbouncer: undefined,
    refused: null,
    startedAt: START,
    seconds: 1.5,
    ...rest,
  };
}

/** A line, so many ms after the start. */
export function line(
  at: number,
  pid: number,
  event: JournalLine['event'],
  fields: Partial<JournalLine> = {},
): JournalLine {
  return { at: START + at, pid, event, ...fields };
}

/** Requests one after the other, each begun and ended by the process of its place in the list. */
export function requestsBy(...pids: number[]): JournalLine[] {
  return pids.flatMap((pid, at) => [
    line(100 + at * 10, pid, 'begin', { request: at + 1 }),
    line(105 + at * 10, pid, 'end', { request: at + 1 }),
  ]);
}

/** PostgreSQL's, with times in ms after the start. */
export function session(id: number, port: number, from: number, to: number | null): Session {
  return { server: 'postgresql', id, port, from: START + from, to: to === null ? null : START + to };
}
