// The matrix: which cells there are, their names, and what is known of them beforehand. Pure.

import type { Cell, DeploymentKind, Driver, Fix } from '../result.ts';

const LEGACY: readonly Fix[] = ['lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient'];
const UNGUARDED: readonly Fix[] = ['none', ...LEGACY, 'postfork'];
export const DRIVERS: readonly Driver[] = ['pg', 'pg-native', 'pg-plain'];

export interface MatrixOptions {
  /** Those that can be had. */
  readonly drivers: readonly Driver[];
  readonly workers: readonly number[];
  readonly maxRequests: readonly number[];
  /** Requests at a time. With 1 and others, the others are for a few cells only. */
  readonly concurrency: readonly number[];
}

/** Cells of one kind: those of all the options' numbers, or of its own. */
interface Block extends Partial<Pick<MatrixOptions, 'workers' | 'maxRequests'>> {
  readonly deployment: DeploymentKind;
  readonly driver: Driver;
  readonly fixes: readonly Fix[];
}

/** Fixes that leave one connection in several processes. */
const SHARING: ReadonlySet<Fix> = new Set<Fix>(['none', 'pgbouncer-strict', 'pgbouncer-lenient']);

// Failures of 100 requests one after the other with 4 workers, by max-requests: real Django 3.2.25, psycopg2 2.9.5, its close
// at request_finished as in 1.1.1 (docs/thread.md; bench/django/run measures it again).
const DJANGO: Readonly<Partial<Record<Fix, Readonly<Record<number, number>>>>> = {
  none: { 0: 3, 5: 21, 1: 99 },
  started: { 0: 0, 5: 0, 1: 0 },
  lazy: { 0: 0, 5: 0, 1: 0 },
};

/** All cells that mean something, the thread's own first. */
export function matrix({ drivers, ...numbers }: MatrixOptions): Cell[] {
  const workers = distinct(numbers.workers);
  const maxRequests = distinct(numbers.maxRequests);
  const concurrency = distinct(numbers.concurrency);
  const options: MatrixOptions = { drivers, workers, maxRequests, concurrency };
  const typical = [workers.includes(4) ? 4 : (workers.at(0) ?? 4)];
  const standing = [maxRequests.includes(0) ? 0 : (maxRequests.at(0) ?? 0)];
  const several = concurrency.filter((count) => count > 1);
  const blocks: Block[] = [
    { deployment: 'fork', driver: 'pg', fixes: UNGUARDED },
    { deployment: 'fork', driver: 'pg', fixes: ['guard'], workers: typical, maxRequests: standing },
    { deployment: 'fork', driver: 'pg-native', fixes: ['none'] },
    { deployment: 'fork', driver: 'pg-native', fixes: LEGACY, workers: typical, maxRequests: standing },
    { deployment: 'fork', driver: 'pg-plain', fixes: ['none', 'lazy', 'started'], workers: typical },
    // A process that loads the site for each request is slow, and the same with 2 of them as with 8.
    {
      deployment: 'spawn',
      driver: 'pg',
      fixes: ['none', 'postfork'],
      maxRequests: maxRequests.filter((max) => max !== 1),
    },
    {
      deployment: 'spawn',
      driver: 'pg',
      fixes: ['none', 'postfork'],
      workers: typical,
      maxRequests: maxRequests.filter((max) => max === 1),
    },
    { deployment: 'spawn', driver: 'pg', fixes: LEGACY, workers: typical, maxRequests: standing },
    { deployment: 'single', driver: 'pg', fixes: UNGUARDED, workers: [1], maxRequests: [0] },
    { deployment: 'in-process', driver: 'pg', fixes: UNGUARDED, workers: [1], maxRequests: [0] },
  ];
  const one = concurrency.includes(1) || several.length === 0 ? blocks : [];
  const atATime = concurrency.includes(1) ? blocksAtATime(typical, standing) : blocks;
  return [
    ...one.flatMap((block) => cellsOf({ ...options, concurrency: [1] }, block)),
    ...atATime.flatMap((block) => cellsOf({ ...options, concurrency: several }, block)),
  ];
}

function distinct(numbers: readonly number[]): number[] {
  return [...new Set(numbers)];
}

/** What is seen at several requests at a time is seen in a few cells. */
function blocksAtATime(workers: readonly number[], maxRequests: readonly number[]): Block[] {
  const at = { workers, maxRequests };
  return [
    { deployment: 'fork', driver: 'pg', fixes: UNGUARDED, ...at },
    { deployment: 'fork', driver: 'pg-native', fixes: ['none'], ...at },
    { deployment: 'fork', driver: 'pg-plain', fixes: ['none'], ...at },
    { deployment: 'spawn', driver: 'pg', fixes: ['none', 'postfork'], ...at },
    { deployment: 'single', driver: 'pg', fixes: ['none', 'postfork'], workers: [1], maxRequests: [0] },
  ];
}

function cellsOf({ drivers, ...options }: MatrixOptions, { deployment, driver, fixes, ...own }: Block): Cell[] {
  if (!drivers.includes(driver)) return [];
  const { workers, maxRequests, concurrency } = { ...options, ...own };
  return fixes.flatMap((fix) =>
    workers.flatMap((w) =>
      maxRequests.flatMap((m) =>
        concurrency.map((c) => makeCell({ deployment, driver, fix, workers: w, maxRequests: m, concurrency: c })),
      ),
    ),
  );
}

function makeCell(parts: Omit<Cell, 'id'>): Cell {
  const { deployment, driver, fix, workers, maxRequests, concurrency } = parts;
  const replaced = deployment === 'fork' || deployment === 'spawn' ? [`w${workers}`, `m${maxRequests}`] : [];
  const words = [deployment, fix, ...replaced];
  if (concurrency > 1) words.push(`c${concurrency}`);
  if (driver !== 'pg') words.push(driver);
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

/** Whether the law says how many fail: not of what is left to chance. */
export function lawful({ driver, concurrency }: Cell): boolean {
  return concurrency === 1 && driver !== 'pg-plain';
}

/** Whether several processes of this cell have one connection. */
export function shares({ deployment, fix }: Cell): boolean {
  return deployment === 'fork' && SHARING.has(fix);
}

/** Real Django's failures, where the same was measured on it. */
export function djangoFailures(
  { deployment, driver, fix, workers, maxRequests, concurrency }: Cell,
  requests: number,
): number | null {
  const alike =
    deployment === 'fork' && driver !== 'pg-plain' && workers === 4 && concurrency === 1 && requests === 100;
  if (!alike) return null;
  return DJANGO[fix]?.[maxRequests] ?? null;
}
