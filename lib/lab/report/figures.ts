// The figures that are not in the data but follow from it: sums, and whether the law held.

import type { Cell, CellResult, FailureKind, Fix, LabResult } from '../result.ts';
import { DEPLOYMENTS, DRIVERS, FIXES, KINDS, keysOf } from './words.ts';

/** Requests that failed, of whatever kind. */
export function failed({ failures }: CellResult): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}

/** The kinds that a cell has, in the order of their declaration. */
export function kindsOf({ failures }: CellResult): readonly FailureKind[] {
  return keysOf(KINDS).filter((kind) => failures[kind] > 0);
}

/** Requests of which nobody knows what became of them: a fault of the lab itself. */
export function unaccounted(result: CellResult): number {
  return result.requests - result.answered - failed(result);
}

/** It ended instead of starting, and nothing of it was to refuse that. */
export function brokeDown({ cell, refused, amiss }: CellResult): boolean {
  return refused !== null && (cell.fix !== 'guard' || amiss.length > 0);
}

/** Whether every cell was what it is to be: it started, its failures are the law's where that speaks, nothing is amiss. */
export function allHolds({ cells }: LabResult): boolean {
  return (
    cells.length > 0 && cells.every((cell) => lawHeld(cell) !== false && !brokeDown(cell) && cell.amiss.length === 0)
  );
}

/** `null`: the law says nothing of this cell. */
export function lawHeld(result: CellResult): boolean | null {
  if (result.predicted === null || result.refused !== null) return null;
  return failed(result) === result.predicted;
}

export interface Verdict {
  /** Cells of which the law says something. */
  readonly of: number;
  readonly held: number;
  readonly broken: readonly CellResult[];
}

export function verdict({ cells }: LabResult): Verdict {
  const told = cells.filter((cell) => lawHeld(cell) !== null);
  const broken = told.filter((cell) => lawHeld(cell) === false);
  return { of: told.length, held: told.length - broken.length, broken };
}

/** By driver, deployment, concurrency, max-requests, workers and fix: the order of rows and columns. */
export function inOrder(cells: readonly CellResult[]): readonly CellResult[] {
  const ranks = ({ cell }: CellResult): readonly number[] => [
    keysOf(DRIVERS).indexOf(cell.driver),
    keysOf(DEPLOYMENTS).indexOf(cell.deployment),
    cell.concurrency,
    // 0 is for ever, and the less a worker serves the more of them there are.
    cell.maxRequests === 0 ? -Infinity : -cell.maxRequests,
    cell.workers,
    keysOf(FIXES).indexOf(cell.fix),
  ];
  return cells.toSorted((one, other) => {
    const ranksOfOther = ranks(other);
    const at = ranks(one).findIndex((rank, index) => rank !== ranksOfOther[index]);
    return at === -1 ? 0 : (ranks(one)[at] ?? 0) < (ranksOfOther[at] ?? 0) ? -1 : 1;
  });
}

/** The fixes that were tried, `none` among them, in the order of the columns. */
export function fixesOf(cells: readonly CellResult[]): readonly Fix[] {
  return keysOf(FIXES).filter((fix) => cells.some(({ cell }) => cell.fix === fix));
}

/** The thread's fault: forked after the import, and nothing done about it. */
export function isThreads({ deployment, fix }: Cell): boolean {
  return deployment === 'fork' && fix === 'none';
}

/**
 * The cell that is the thread's own: fork and no fix, as like its setup as the run has one: first driver, sequential, 4
 * workers, for ever.
 */
export function threadsCell(cells: readonly CellResult[]): CellResult | undefined {
  const candidates = inOrder(cells).filter(({ cell, refused }) => isThreads(cell) && refused === null);
  const unlike = ({ cell }: CellResult): number =>
    keysOf(DRIVERS).indexOf(cell.driver) * 100 +
    (cell.concurrency > 1 ? 50 : 0) +
    (cell.maxRequests > 0 ? 10 : 0) +
    (cell.workers === 4 ? 0 : 1);
  return candidates.toSorted((one, other) => unlike(one) - unlike(other))[0];
}
