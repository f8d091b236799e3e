// bench/workers.ts, the CPU time and the latency of requests: whether the engine flags that a fork needs cost anything.

import { setTimeout as pause } from 'node:timers/promises';
import { startArbiter, type Way } from './arbiter.ts';
import { drive, type Load } from './driver.ts';
import { progress, type Session } from './session.ts';
import { median, pairedRatio } from './statistics.ts';
import { digits, formatTable } from './table.ts';
import type { Applications } from './workers-start.ts';

const WAYS: readonly Way[] = ['spawn', 'flags', 'fork'];
const COUNTS = [1, 2];
const CONNECTIONS = 32;
const REPORTED = 400; // ms: workers tell their numbers every 250

const NAMES: Readonly<Record<Way, string>> = { spawn: 'spawn', flags: 'spawn with the flags', fork: 'fork' };

export interface LoadOptions {
  rounds: number;
  /** Counted, and before that. */
  seconds: number;
  warmup: number;
}

interface Measured extends Load {
  /** Of all requests those that the worker with the fewest has had. */
  least: number;
}

interface Cell {
  readonly application: string;
  readonly file: string;
  readonly workers: number;
  readonly way: Way;
  readonly loads: Map<number, Measured>;
}

const cpuPerRequest = (load: Load): number => load.responderCpuUs / load.requests;

/** Resolves to a table in Markdown. */
export async function measureLoad(
  applications: Applications,
  options: LoadOptions,
  binary: string,
  session: Session,
): Promise<string> {
  const cells: Cell[] = Object.entries(applications).flatMap(([application, file]) =>
    COUNTS.flatMap((workers) =>
      WAYS.map((way) => ({ application, file, workers, way, loads: new Map<number, Measured>() })),
    ),
  );
  for (let round = 1; round <= options.rounds; round += 1) {
    // Each round begins with another one, so that nobody always follows the same neighbour.
    for (let first = 0; first < cells.length; first += WAYS.length) {
      const turn = round % WAYS.length;
      const row = cells.slice(first, first + WAYS.length);
      for (const cell of [...row.slice(turn), ...row.slice(0, turn)]) {
        const load = await measure(cell, options, binary, session);
        session.signal.throwIfAborted();
        cell.loads.set(round, load);
        const what = `${digits(cpuPerRequest(load))} us, ${Math.round(load.requests / load.seconds)}/s`;
        progress(
          `load ${round}/${options.rounds}  ${cell.application}  ${cell.workers} x ${cell.way.padEnd(5)}  ${what}`,
        );
      }
    }
  }
  return report(cells);
}

async function measure(cell: Cell, options: LoadOptions, binary: string, session: Session): Promise<Measured> {
  const { seconds, warmup } = options;
  const arbiter = await startArbiter(cell.file, cell.way, cell.workers, session);
  try {
    const pids = [...(await arbiter.workers()).keys()];
    if (pids.length !== cell.workers) throw new Error(`${pids.length} workers, not ${cell.workers}`);
    const target = { socket: arbiter.socket, pid: pids.join(','), connections: CONNECTIONS };
    const load = await drive(binary, { mode: 'kept', ...target, seconds, warmup }, seconds + warmup, session.signal);
    if (load.errors > 0) throw new Error(load.firstError);
    await pause(REPORTED, undefined, { signal: session.signal });
    const counts = [...(await arbiter.workers()).values()];
    return { ...load, least: Math.min(...counts) / counts.reduce((sum, count) => sum + count, 0) };
  } finally {
    await arbiter.stop();
  }
}

const HEAD = [
  'application',
  'workers',
  'method',
  'CPU us/request',
  'min-max',
  'x spawn',
  'requests/s',
  'x spawn',
  'p50 us',
  'p99 us',
  'faults/request',
  'workers busy',
  'driver busy',
  'others busy',
  'least share',
];

function report(cells: readonly Cell[]): string {
  const rows = cells.map((cell) => {
    const { application, workers, way } = cell;
    const spawn = cells.find(
      (one) => one.application === application && one.workers === workers && one.way === 'spawn',
    ) as Cell;
    const loads = [...cell.loads.values()];
    const middle = (figure: (load: Measured) => number): number => median(loads.map(figure));
    const ratio = (figure: (load: Measured) => number): number => pairedRatio(each(cell, figure), each(spawn, figure));
    const cores = (name: 'responderCpuUs' | 'driverCpuUs' | 'othersCpuUs'): string =>
      middle((load) => load[name] / load.seconds / 1e6).toFixed(2);
    const costs = loads.map(cpuPerRequest);
    const rate = (load: Load): number => load.requests / load.seconds;
    return [
      application,
      String(workers),
      NAMES[way],
      digits(median(costs)),
      `${digits(Math.min(...costs))}-${digits(Math.max(...costs))}`,
      digits(ratio(cpuPerRequest)),
      middle(rate).toFixed(0),
      digits(ratio(rate)),
      middle((load) => load.p50Us).toFixed(0),
      middle((load) => load.p99Us).toFixed(0),
      middle((load) => load.responderFaults / load.requests).toFixed(2),
      cores('responderCpuUs'),
      cores('driverCpuUs'),
      cores('othersCpuUs'),
      middle((load) => load.least).toFixed(2),
    ];
  });
  return formatTable(HEAD, rows, 3);
}

function each(cell: Cell, figure: (load: Measured) => number): Map<number, number> {
  return new Map([...cell.loads].map(([round, load]) => [round, figure(load)]));
}
