// What the number of failures does not tell: a deployment that was not what its cell is called, a fix that is none. Pure.

import type { JournalLine } from '../site/index.ts';
import { shares } from './cells.ts';
import type { Run } from './run.ts';

const GUARD = /^The application has opened .* while it was loaded, before the fork\./;

/** One sentence for each. */
export function amissIn(run: Run): string[] {
  return [guard(run), copies(run), maxRequests(run), inherited(run)].filter((sentence) => sentence !== undefined);
}

function guard({ cell, refused }: Run): string | undefined {
  if (cell.fix !== 'guard') return refused === null ? undefined : 'it did not start';
  if (refused === null) return 'the fork guard did not refuse to fork with an open connection';
  return GUARD.test(refused) ? undefined : 'it did not start, and not because of the fork guard';
}

/** With the thread's connection at import each fork has a copy; Postfork's own is its opener's alone. */
function copies({ cell, copies: found }: Run): string | undefined {
  if (found === null) return undefined;
  const several = shares(cell) || (cell.deployment === 'fork' && cell.fix === 'started');
  if (several && found < 2) return 'no worker had a copy of the connection of the import';
  if (!several && found > 1) return `${found} processes had the connection of the import`;
  return undefined;
}

/** Exactly so many, one after the other: that is what --max-requests-strict is for. */
function maxRequests({ cell, journal }: Run): string | undefined {
  if (cell.maxRequests === 0 || cell.concurrency > 1) return undefined;
  const served = new Map<number, number>();
  for (const { pid } of begins(journal)) served.set(pid, (served.get(pid) ?? 0) + 1);
  const most = Math.max(0, ...served.values());
  return most > cell.maxRequests
    ? `a worker served ${most} requests, and max-requests is ${cell.maxRequests}`
    : undefined;
}

/** Postfork's connection of the import is its opener's, who has it in use: its session outlives all requests. */
function inherited({ cell, journal, postgres }: Run): string | undefined {
  if (cell.deployment !== 'fork' || cell.fix !== 'postfork') return undefined;
  const open = journal.find(({ event, request }) => event === 'open' && request === undefined);
  const session = postgres.sessions.find(({ id }) => id === open?.backend);
  const last = journal.findLast(({ event }) => event === 'end')?.at;
  if (last === undefined || session?.to === undefined || session.to === null || session.to > last) return undefined;
  return 'a worker ended the session of the connection of the import, which its opener still used';
}

function begins(journal: readonly JournalLine[]): JournalLine[] {
  return journal.filter(({ event }) => event === 'begin');
}
