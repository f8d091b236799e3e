// What a family of processes uses, from /proc (Linux).

import { readdirSync, readFileSync } from 'node:fs';

const TICK = 10; // ms: USER_HZ is 100 wherever Node runs

/** Bytes of one process or the sum of several: proc(5), smaps_rollup. */
export interface Shares {
  /** Resident set size: a page that n processes share counts n times in a sum. */
  rss: number;
  /** Proportional set size: such a page counts once. */
  pss: number;
  /** What of it belongs to no file: heaps and stacks. No other program on the machine changes this. */
  anonymous: number;
  /** What only one process has, and has written. */
  privateDirty: number;
}

/** `root` and all its descendants that live. */
export function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? statOf(Number(name))?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const members = [root];
  for (const pid of members) members.push(...(children.get(pid) ?? []));
  return members;
}

/** User and system time of these processes since their start, in ms, to 10 ms each. One that has ended counts nothing. */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.cpu ?? 0), 0);
}

/** CPU time that all processors have spent at work, or lost to other machines, in ms. */
export function machineCpu(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] as string;
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number) as number[];
  return [user, nice, system, irq, softirq, steal].reduce<number>((sum, ticks) => sum + (ticks ?? 0), 0) * TICK;
}

export function sharesOf(pids: readonly number[]): Shares {
  const sum = { rss: 0, pss: 0, anonymous: 0, privateDirty: 0 };
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024;
    sum.rss += field('Rss');
    sum.pss += field('Pss');
    sum.anonymous += field('Pss_Anon');
    sum.privateDirty += field('Private_Dirty');
  }
  return sum;
}

/** Of /proc/PID/stat; undefined where there is no such process, or only what is left of one. */
function statOf(pid: number): { parent: number; cpu: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' '); // the name may hold blanks
  if (fields[0] === 'Z') return undefined;
  return { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) * TICK };
}
