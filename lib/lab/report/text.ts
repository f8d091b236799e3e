// reportText(): the table for a terminal, at most 120 columns wide, or as narrow as it has to be.

import type { CellResult, Driver, Fix, LabResult } from '../result.ts';
import { allHolds, brokeDown, failed, fixesOf, inOrder, kindsOf, lawHeld, unaccounted, verdict } from './figures.ts';
import { groupBy } from './group-by.ts';
import { headline, lawSentence } from './headline.ts';
import { visible } from './visible.ts';
import { FIXES, count, duration } from './words.ts';

export interface TextOptions {
  /** ANSI's green, red and dim. Default: false. */
  readonly color?: boolean;
  /** Columns, 34 at least and 120 at most (default): where all fixes have no place beside each other they come below each other. */
  readonly width?: number;
}

type Color = 'good' | 'bad' | 'dim' | 'none';
type Paint = (color: Color, text: string) => string;
interface Piece {
  readonly text: string;
  readonly color: Color;
}

const ROW = 20; // columns: `in-process`, `fork 4w m5 x16`
const COLUMN = 14;
const WIDEST = 120;
const STRICT =
  'With a strict close a worker keeps its dead copy: then the law says all requests of all workers but the first.';
const CODES: Readonly<Record<Color, string>> = { good: '32', bad: '31', dim: '2', none: '' };

/** Lines for people, a line feed at the end; characters beyond ASCII only in what the run itself has said, and for marks. */
export function reportText(result: LabResult, { color = false, width = WIDEST }: TextOptions = {}): string {
  const paint: Paint = (name, text) => (color && name !== 'none' ? `\u001b[${CODES[name]}m${text}\u001b[0m` : text);
  const cells = inOrder(result.cells);
  const drivers = [...new Set(cells.map(({ cell }) => cell.driver))];
  const columns = Math.max(1, Math.floor((Math.min(width, WIDEST) - ROW) / COLUMN));
  const tables = drivers.flatMap((driver) => {
    const own = cells.filter(({ cell }) => cell.driver === driver);
    return parts(fixesOf(own), columns).map((fixes) => table(driver, own, fixes, paint));
  });
  const wrap = (line: string): readonly string[] => wrapped(line, Math.min(width, WIDEST));
  const lines = [
    ...headline(result).flatMap(wrap),
    '',
    ...tables.flat(),
    ...key(cells).flatMap(wrap),
    '',
    ...closing(result, paint, wrap),
  ];
  return `${lines.join('\n')}\n`;
}

function parts<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return items.flatMap((_, at) => (at % size === 0 ? [items.slice(at, at + size)] : []));
}

function table(driver: Driver, all: readonly CellResult[], fixes: readonly Fix[], paint: Paint): readonly string[] {
  const cells = all.filter(({ cell }) => fixes.includes(cell.fix));
  const head = [0, 1].map((line) => {
    const name = (fix: Fix): string => (FIXES[fix].short[line] ?? '').replaceAll('’', "'").padEnd(COLUMN);
    return `${(line === 0 ? driver : '').padEnd(ROW)}${fixes.map(name).join('')}`.trimEnd();
  });
  const rows = groupBy(cells, ({ cell }) => rowName(cell));
  const body = [...rows].flatMap(([name, row]) => rowLines(name, row, fixes, paint));
  const widest = ROW + fixes.length * COLUMN;
  return [
    ...head.filter((line) => line !== '').map((line) => paint('dim', line)),
    paint('dim', '-'.repeat(widest)),
    ...body,
    '',
  ];
}

function rowName({ deployment, workers, maxRequests, concurrency }: CellResult['cell']): string {
  const forked = deployment === 'fork' || deployment === 'spawn';
  const parts = [
    deployment,
    ...(forked ? [`${workers}w`] : []),
    ...(forked || maxRequests > 0 ? [`m${maxRequests}`] : []),
    ...(concurrency > 1 ? [`x${concurrency}`] : []),
  ];
  return parts.join(' ');
}

/** One line, and more where a cell has kinds to be told. */
function rowLines(name: string, row: readonly CellResult[], fixes: readonly Fix[], paint: Paint): readonly string[] {
  const columns = fixes.map((fix) => piecesOf(row.find(({ cell }) => cell.fix === fix)));
  const height = Math.max(1, ...columns.map((pieces) => pieces.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = columns.map((pieces) => pieces[line] ?? { text: '', color: 'none' as const });
    const last = parts.findLastIndex(({ text }) => text !== '');
    const painted = parts
      .slice(0, last + 1)
      .map(
        ({ text, color }, index) =>
          paint(color, text) + ' '.repeat(index === last ? 0 : Math.max(1, COLUMN - text.length)),
      );
    return `${(line === 0 ? name : '').padEnd(ROW)}${painted.join('')}`.trimEnd();
  });
}

function piecesOf(result: CellResult | undefined): readonly Piece[] {
  if (result === undefined) return [];
  if (brokeDown(result)) return [{ text: 'no start', color: 'bad' }];
  if (result.refused !== null) return [{ text: 'refuses', color: 'dim' }];
  const failures = failed(result);
  const held = lawHeld(result);
  const mark = held === null ? '' : held ? ' ✓' : ` ✗ ${result.predicted}`;
  const figure: Piece = {
    text: `${failures}/${result.requests}${mark}`,
    color: held === false || failures > 0 ? 'bad' : 'good',
  };
  const kinds = kindsOf(result);
  const lost = unaccounted(result);
  const told = kinds.length === 1 && kinds[0] === 'OperationalError' ? [] : kinds;
  return [
    figure,
    ...told.map((kind): Piece => ({ text: `${kind.replace('Error', '')} ${result.failures[kind]}`, color: 'dim' })),
    ...(result.deaths === 0 ? [] : [{ text: `${result.deaths} died`, color: 'bad' as const }]),
    ...(result.amiss.length === 0 ? [] : [{ text: '✗ amiss', color: 'bad' as const }]),
    ...(lost === 0 ? [] : [{ text: `lost ${lost}`, color: 'bad' as const }]),
    ...(result.django === null ? [] : [{ text: `Django ${result.django}`, color: 'dim' as const }]),
  ];
}

function key(cells: readonly CellResult[]): readonly string[] {
  if (cells.length === 0) return ['No cell was run.'];
  const costs = fixesOf(cells).map((fix) => {
    const served = cells.filter(({ cell, requests }) => cell.fix === fix && cell.deployment === 'fork' && requests > 0);
    const ratios = served.map(({ connects, requests }) => connects / requests);
    const [least, most] = [Math.min(...ratios).toFixed(2), Math.max(...ratios).toFixed(2)];
    return ratios.length === 0
      ? ''
      : `${FIXES[fix].name.replaceAll('’', "'")} ${least === most ? least : `${least}-${most}`}`;
  });
  const told = costs.filter((cost) => cost !== '');
  return [
    'w: workers, m: max-requests, x: requests at a time. 3/100: failed of sent, OperationalErrors where no kind stands below.',
    '✓: as many as the law says (workers that served - 1 where they share a connection, else 0); ✗ and its number: not so.',
    ...(cells.some(({ cell }) => cell.fix === 'pgbouncer-strict') ? [STRICT] : []),
    ...(cells.some(({ failures }) => failures.hang >= 10) ? ['After ten hangs a cell is asked no further.'] : []),
    ...(told.length === 0 ? [] : [`Connects per request under fork: ${told.join('; ')}.`]),
  ];
}

function closing(result: LabResult, paint: Paint, wrap: (line: string) => readonly string[]): readonly string[] {
  const { of } = verdict(result);
  const color: Color = result.cells.length > 0 && !allHolds(result) ? 'bad' : of === 0 ? 'dim' : 'good';
  const left = result.left.map((line) => `Left out: ${visible(line)}`);
  const took = `${count(result.cells.length, 'cell')} in ${duration(result.seconds)}, ${result.webServer}. Again: ${visible(result.command)}`;
  return [...wrap(lawSentence(result)).map((line) => paint(color, line)), ...left, took];
}

function wrapped(text: string, width: number): readonly string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines;
}
