// bench/workers.ts, the time until workers are ready: at the start of the command, and at a reload.

import { startArbiter, type Boot, type Way } from './arbiter.ts';
import { progress, type Session } from './session.ts';
import { median, pairedRatio } from './statistics.ts';
import { digits, formatTable } from './table.ts';

const WORKERS = 16;
const WAYS: readonly Way[] = ['spawn', 'fork'];

/** An application's name and its file. */
export type Applications = Readonly<Record<string, string>>;

interface Cell {
  readonly application: string;
  readonly event: 'start' | 'reload';
  readonly way: Way;
  readonly boots: Map<number, Boot>;
}

/** Resolves to a table in Markdown. */
export async function measureStarts(applications: Applications, rounds: number, session: Session): Promise<string> {
  const cells: Cell[] = Object.keys(applications).flatMap((application) =>
    (['start', 'reload'] as const).flatMap((event) =>
      WAYS.map((way) => ({ application, event, way, boots: new Map<number, Boot>() })),
    ),
  );
  for (let round = 1; round <= rounds; round += 1) {
    for (const [application, file] of Object.entries(applications)) {
      for (const way of round % 2 === 0 ? WAYS : WAYS.toReversed()) {
        const { start, reload } = await startAndReload(file, way, session);
        session.signal.throwIfAborted();
        const own = cells.filter((cell) => cell.application === application && cell.way === way);
        for (const { event, boots } of own) boots.set(round, event === 'start' ? start : reload);
        const what = `first ${start.first} ms, last ${start.last} ms, reload ${reload.last} ms`;
        progress(`start ${round}/${rounds}  ${application}  ${way.padEnd(5)}  ${what}`);
      }
    }
  }
  return report(cells);
}

async function startAndReload(file: string, way: Way, session: Session): Promise<{ start: Boot; reload: Boot }> {
  const arbiter = await startArbiter(file, way, WORKERS, session);
  try {
    return { start: arbiter.boot, reload: await arbiter.reload() };
  } finally {
    await arbiter.stop();
  }
}

const HEAD = [
  'application',
  'event',
  'method',
  'first ready ms',
  `${WORKERS}th ready ms`,
  'min-max',
  'x spawn',
  'CPU ms',
  'others busy',
];

function report(cells: readonly Cell[]): string {
  const lasts = ({ boots }: Cell): Map<number, number> => new Map([...boots].map(([round, { last }]) => [round, last]));
  const rows = cells.map((cell) => {
    const spawn = cells.find(
      ({ application, event, way }) => application === cell.application && event === cell.event && way === 'spawn',
    ) as Cell;
    const boots = [...cell.boots.values()];
    const middle = (figure: (boot: Boot) => number): number => median(boots.map(figure));
    const all = boots.map(({ last }) => last);
    return [
      cell.application,
      cell.event,
      cell.way,
      middle(({ first }) => first).toFixed(0),
      median(all).toFixed(0),
      `${Math.min(...all)}-${Math.max(...all)}`,
      digits(pairedRatio(lasts(cell), lasts(spawn))),
      middle(({ cpu }) => cpu).toFixed(0),
      middle(({ others, last }) => others / last).toFixed(2),
    ];
  });
  return formatTable(HEAD, rows, 3);
}
