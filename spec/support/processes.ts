// What the operating system tells of processes, by proc(5).

import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const WITHIN = 20_000; // ms
const POLL = 10; // ms

export interface ProcessState {
  readonly pid: number;
  /** `R`, `S`, ...; `Z` has ended, and nobody has asked how. */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  /** Milliseconds of processor time, its own. */
  readonly cpu: number;
}

const MS_OF_TICK = 10; // USER_HZ is 100 on every Linux that Node runs on

/** Undefined where there is no such process. */
export function processState(pid: number): ProcessState | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // Behind the name, which may hold anything: state, parent, group, ... and as the 12th and 13th user and system time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    pid,
    state: fields[0] as string,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    cpu: (Number(fields[11]) + Number(fields[12])) * MS_OF_TICK,
  };
}

/** What it was started as, or calls itself by now. Empty where there is no such process any more. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

/** What runs of a process group. */
export function processGroup(group: number): ProcessState[] {
  return allOf(group).filter(({ pid }) => isRunning(pid));
}

/**
 * A process that leads its group, and all that it and its children have started: also what has ended and was not asked how
 * (a zombie), unless it is an orphan, which is the business of the system's first process.
 */
export function processFamily(leader: number): ProcessState[] {
  const all = allOf(leader);
  return all.filter(({ pid, parent }) => pid === leader || all.some((other) => other.pid === parent));
}

function allOf(group: number): ProcessState[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processState(Number(name)))
    .filter((state) => state?.group === group) as ProcessState[];
}

/** Whether any of its threads runs: as long as one does, its descriptors are open, also where the first has ended. */
export function isRunning(pid: number): boolean {
  const state = processState(pid)?.state;
  if (state === undefined || state === 'X') return false;
  try {
    return state !== 'Z' || readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** How many descriptors it has open. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Resolves when it holds; rejects after a bounded time with what does not. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + WITHIN;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it does not come: ${what}`);
    await delay(POLL);
  }
}
