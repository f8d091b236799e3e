// The matrix: which cells there are, their names, and what is known of them beforehand. Pure.

import type { Cell, DeploymentKind, Driver, Fix } from '../result.ts';

export const FIXES: readonly Fix[] = [
  'none',
  'lazy',
  'started',
  'pgbouncer-strict',
  'pgbouncer-lenient',
  'postfork',
  'guard',
];
export const DRIVERS: readonly Driver[] = ['pg', 'pg-native', 'pg-plain'];

export interface MatrixOptions {
  /** Those that can be had. */
  readonly drivers: readonly Driver[];
  readonly workers: readonly number[];
  readonly maxRequests: readonly number[];
}

/** Fixes that leave one connection in several processes. */
const SHARING: ReadonlySet<Fix> = new Set<Fix>(['none', 'pgbouncer-strict', 'pgbouncer-lenient']);

// Failures of 100 requests one after the other with 4 workers, by max-requests: real Django 3.2.25, psycopg2 2.9.5, its close
// at request_finished as in 1.1.1 (docs/lab.md).
const DJANGO: Readonly<Partial<Record<Fix, Readonly<Record<number, number>>>>> = {
  none: { 0: 3, 5: 21, 1: 99 },
  started: { 0: 0, 5: 0, 1: 0 },
  lazy: { 0: 0, 5: 0, 1: 0 },
};

/** All cells that mean something, the thread's own first. */
export function matrix({ drivers, workers, maxRequests }: MatrixOptions): Cell[] {
  const cells: Cell[] = [];
  const add = (
    deployment: DeploymentKind,
    driver: Driver,
    fixes: readonly Fix[],
    w: readonly number[],
    m: readonly number[],
  ): void => {
    for (const fix of fixes) {
      for (const count of w)
        for (const max of m) cells.push(makeCell({ deployment, driver, fix, workers: count, maxRequests: max }));
    }
  };
  const typical = workers.includes(4) ? 4 : (workers.at(0) ?? 4);
  const standing = maxRequests.includes(0) ? 0 : (maxRequests.at(0) ?? 0);
  const fixes = FIXES.filter((fix) => fix !== 'guard');
  if (drivers.includes('pg')) {
    add('fork', 'pg', fixes, workers, maxRequests);
    add('fork', 'pg', ['guard'], [typical], [standing]);
  }
  if (drivers.includes('pg-native')) {
    add('fork', 'pg-native', ['none'], workers, maxRequests);
    add('fork', 'pg-native', ['lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient'], [typical], [standing]);
  }
  if (drivers.includes('pg-plain')) add('fork', 'pg-plain', ['none', 'lazy', 'started'], [typical], maxRequests);
  if (drivers.includes('pg')) {
    // A process that loads the site for each request: slow, and the same with 2 of them as with 8.
    const lasting = maxRequests.filter((max) => max !== 1);
    add('spawn', 'pg', ['none', 'postfork'], workers, lasting);
    add(
      'spawn',
      'pg',
      ['none', 'postfork'],
      [typical],
      maxRequests.filter((max) => max === 1),
    );
    add('spawn', 'pg', ['lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient'], [typical], [standing]);
    for (const deployment of ['single', 'in-process'] as const) add(deployment, 'pg', fixes, [1], [0]);
  }
  return cells;
}

export function makeCell(parts: Omit<Cell, 'id'>): Cell {
  const { deployment, driver, fix, workers, maxRequests } = parts;
  const numbers = deployment === 'fork' || deployment === 'spawn' ? [`w${workers}`, `m${maxRequests}`] : [];
  const words = [deployment, fix, ...numbers, ...(driver === 'pg' ? [] : [driver])];
  return { id: words.join('/'), ...parts };
}

/**
 * The cells that a pattern names: a whole id, `fork/none/w4/m1`, or the first parts of some, `fork/none`, with `*` for any.
 * Throws RangeError with the ids there are where it names none.
 */
export function select(cells: readonly Cell[], pattern: string): Cell[] {
  const exact = cells.filter(({ id }) => id === pattern);
  if (exact.length > 0) return exact;
  const parts = pattern.split('/');
  const found = cells.filter(({ id }) => {
    const words = id.split('/');
    return parts.length <= words.length && parts.every((part, at) => part === '*' || part === words[at]);
  });
  if (found.length > 0) return found;
  throw new RangeError(`no cell is called ${pattern}; there are\n${cells.map(({ id }) => `  ${id}`).join('\n')}`);
}

/** Whether several processes of this cell have one connection. */
export function shares({ deployment, fix }: Cell): boolean {
  return deployment === 'fork' && SHARING.has(fix);
}

/** Real Django's failures, where the same was measured on it. */
export function djangoFailures({ deployment, driver, fix, workers, maxRequests }: Cell, requests: number): number | null {
  if (deployment !== 'fork' || driver === 'pg-plain' || workers !== 4 || requests !== 100) return null;
  return DJANGO[fix]?.[maxRequests] ?? null;
}
