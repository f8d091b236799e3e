// From what was written down of a cell's run to its figures. Pure.

import type { Cell, CellResult, ErrorText, FailureKind } from '../result.ts';
import type { JournalLine } from '../site/index.ts';
import { djangoFailures, lawful, shares } from './cells.ts';
import type { Session } from './server-log.ts';
import type { Run } from './run.ts';
import { timelineOf } from './timeline.ts';

const NOTHING: Readonly<Record<FailureKind, number>> = {
  OperationalError: 0,
  InterfaceError: 0,
  crossed: 0,
  hang: 0,
  death: 0,
  other: 0,
};

/** `picture`: how many requests its picture has; 0: none. */
export function measure(run: Run, picture: number): CellResult {
  const { cell, requests, journal } = run;
  const failures: Record<FailureKind, number> = { ...NOTHING };
  for (const { kind } of run.failures.values()) failures[kind]++;
  const served = new Set(journal.filter(({ event }) => event === 'begin').map(({ pid }) => pid));
  return {
    cell,
    requests,
    answered: requests - run.failures.size,
    failures,
    workersServed: served.size,
    predicted: lawful(cell) ? predict(cell, journal) : null,
    django: djangoFailures(cell, requests),
    connects: journal.filter(({ event }) => event === 'open').length,
    backends: run.postgres.sessions.length,
    errors: errorTexts(run),
    refused: run.refused,
    timeline: picture > 0 && journal.length > 0 ? timelineOf(run, sessionsOf(run), picture) : null,
    seconds: run.seconds,
  };
}

/**
 * The law, for requests one after the other. Whoever first uses the connection of the import closes it for all: each further worker
 * that serves has a dead copy, and fails once, then connects anew: workers that served - 1. With a strict close it fails for
 * as long as it lives, because what `close` raises leaves the dead connection in its place.
 */
function predict(cell: Cell, journal: readonly JournalLine[]): number {
  if (!shares(cell)) return 0;
  const begun = journal.filter(({ event }) => event === 'begin').map(({ pid }) => pid);
  const [first] = begun;
  if (first === undefined) return 0;
  if (cell.fix === 'pgbouncer-strict') return begun.filter((pid) => pid !== first).length;
  return new Set(begun).size - 1;
}

function sessionsOf({ postgres, pgbouncer }: Run): Session[] {
  return [...postgres.sessions, ...(pgbouncer?.sessions ?? [])];
}

function errorTexts({ failures, journal, postgres, pgbouncer }: Run): ErrorText[] {
  const texts = new Map<string, { -readonly [K in keyof ErrorText]: ErrorText[K] }>();
  const add = (kind: FailureKind, text: string, source: ErrorText['source']): void => {
    const key = `${source} ${text}`;
    const known = texts.get(key);
    if (known === undefined) texts.set(key, { kind, text, count: 1, source });
    else known.count++;
  };
  for (const { kind, text } of failures.values()) add(kind, text, 'page');
  for (const { event, error } of journal) {
    if (event === 'error' && error !== undefined) add(kindOf(error), error.trim(), 'application');
  }
  for (const text of postgres.complaints) add('other', text, 'postgresql');
  for (const text of pgbouncer?.complaints ?? []) add('other', text, 'pgbouncer');
  return [...texts.values()].toSorted((a, b) => b.count - a.count);
}

function kindOf(error: string): FailureKind {
  const [name] = error.split(':');
  return name === 'OperationalError' || name === 'InterfaceError' ? name : 'other';
}
