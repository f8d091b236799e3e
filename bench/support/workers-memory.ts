// bench/workers.ts, the memory of an arbiter with eight workers, and of their zygote.

import { setTimeout as pause } from 'node:timers/promises';
import { startArbiter, type RunningArbiter, type Way } from './arbiter.ts';
import { drive } from './driver.ts';
import { family, sharesOf, type Shares } from './processes.ts';
import { progress, type Session } from './session.ts';
import { median } from './statistics.ts';
import { digits, formatTable } from './table.ts';
import type { Applications } from './workers-start.ts';

const MIB = 1024 * 1024;
const WORKERS = 8;
const WAYS: readonly Way[] = ['spawn', 'fork'];
const REQUESTS = 3000; // that each worker must have had
const BATCH = 20_000; // requests; workers take turns at none of them, so it goes on until all have had enough
const MAX_BATCHES = 30;
const REPORTED = 600; // ms: workers tell their numbers every 250
const COLLECTED = 3000; // ms for eight full collections on two cores

const STARTED = 'started';
const SERVED = `${REQUESTS} requests each`;
const COLLECTED_ALL = 'all garbage collected';

interface Cell {
  readonly application: string;
  readonly when: string;
  readonly way: Way;
  readonly samples: Shares[];
}

/** Resolves to a table in Markdown. An application that collects its garbage at SIGUSR2 is measured after that, too. */
export async function measureMemory(
  applications: Applications,
  collecting: string,
  rounds: number,
  binary: string,
  session: Session,
): Promise<string> {
  const cells: Cell[] = [];
  for (const application of Object.keys(applications)) {
    const times = application === collecting ? [STARTED, SERVED, COLLECTED_ALL] : [STARTED, SERVED];
    for (const when of times) for (const way of WAYS) cells.push({ application, when, way, samples: [] });
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const [application, file] of Object.entries(applications)) {
      for (const way of WAYS) {
        const own = cells.filter((cell) => cell.application === application && cell.way === way);
        await measure(own, file, way, binary, session);
        session.signal.throwIfAborted();
        const figures = own.map(({ samples }) => `${digits((samples.at(-1) as Shares).pss / MIB)} MiB`);
        progress(`memory ${round}/${rounds}  ${application}  ${way.padEnd(5)}  ${figures.join(', ')}`);
      }
    }
  }
  return report(cells);
}

async function measure(
  cells: readonly Cell[],
  file: string,
  way: Way,
  binary: string,
  session: Session,
): Promise<void> {
  const arbiter = await startArbiter(file, way, WORKERS, session);
  try {
    for (const { when, samples } of cells) {
      if (when === SERVED) await serveAll(arbiter, binary, session);
      if (when === COLLECTED_ALL) await collect(arbiter, session);
      await pause(REPORTED, undefined, { signal: session.signal });
      samples.push(sharesOf(family(arbiter.pid)));
    }
  } finally {
    await arbiter.stop();
  }
}

/** Every worker has had its requests: how the system spreads connections among them is not in our hands. */
async function serveAll(arbiter: RunningArbiter, binary: string, session: Session): Promise<void> {
  const load = { mode: 'single', connections: 64, socket: arbiter.socket, requests: BATCH, warmup: 0 };
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const { errors, firstError } = await drive(binary, load, 60, session.signal);
    if (errors > 0) throw new Error(firstError);
    await pause(REPORTED, undefined, { signal: session.signal });
    const counts = [...(await arbiter.workers()).values()];
    if (counts.length === WORKERS && Math.min(...counts) >= REQUESTS) return;
  }
  throw new Error(`after ${MAX_BATCHES * BATCH} requests a worker has not had ${REQUESTS} of them`);
}

async function collect(arbiter: RunningArbiter, { signal }: Session): Promise<void> {
  for (const pid of (await arbiter.workers()).keys()) process.kill(pid, 'SIGUSR2');
  await pause(COLLECTED, undefined, { signal });
}

const HEAD = [
  'application',
  'after',
  'method',
  'PSS MiB',
  'min-max',
  'x spawn',
  'anonymous',
  'private dirty',
  'RSS summed',
];

function report(cells: readonly Cell[]): string {
  const middle = ({ samples }: Cell, figure: keyof Shares): number => median(samples.map((one) => one[figure] / MIB));
  const rows = cells.map((cell) => {
    const { application, when, way, samples } = cell;
    const spawn = cells.find(
      (one) => one.application === application && one.when === when && one.way === 'spawn',
    ) as Cell;
    const all = samples.map(({ pss }) => pss / MIB);
    return [
      application,
      when,
      way,
      middle(cell, 'pss').toFixed(0),
      `${Math.min(...all).toFixed(0)}-${Math.max(...all).toFixed(0)}`,
      digits(middle(cell, 'pss') / middle(spawn, 'pss')),
      middle(cell, 'anonymous').toFixed(0),
      middle(cell, 'privateDirty').toFixed(0),
      middle(cell, 'rss').toFixed(0),
    ];
  });
  return formatTable(HEAD, rows, 3);
}
