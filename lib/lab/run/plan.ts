// What of the matrix this machine can run, and why not the rest.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { buildNative } from '../../prefork/index.ts';
import type { Cell } from '../result.ts';
import { serverPath } from '../servers/index.ts';

/** What the cells need. */
export interface Means {
  /** The file of pg-native. */
  readonly native: string | undefined;
}

export interface Plan {
  readonly cells: readonly Cell[];
  /** What was left out, and what to do about it. */
  readonly left: string[];
}

/** Leave out what cannot be run here. */
export async function feasible(cells: readonly Cell[], { native }: Means): Promise<Plan> {
  const lacks: [needs: (cell: Cell) => boolean, why: () => Promise<string | undefined>][] = [
    [({ deployment }) => deployment === 'fork', whyNoFork],
    [
      ({ driver }) => driver === 'pg-native',
      async () =>
        native === undefined ? 'pg-native is not installed: scripts/setup --lab, or npm install pg-native' : undefined,
    ],
    [({ fix }) => fix.startsWith('pgbouncer'), whyNoPgbouncer],
  ];
  let rest = cells;
  const left: string[] = [];
  for (const [needs, reason] of lacks) {
    const without = rest.filter((cell) => !needs(cell));
    const count = rest.length - without.length;
    const why = count > 0 ? await reason() : undefined;
    if (why === undefined) continue;
    rest = without;
    left.push(`${count} ${count === 1 ? 'cell' : 'cells'}: ${why}`);
  }
  return { cells: rest, left };
}

async function whyNoFork(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'fork is for Linux';
  try {
    await buildNative();
    return undefined;
  } catch (error) {
    return `fork needs the addon: ${(error as Error).message}`;
  }
}

async function whyNoPgbouncer(): Promise<string | undefined> {
  try {
    await promisify(execFile)('pgbouncer', ['--version'], { env: { PATH: serverPath() } });
    return undefined;
  } catch {
    return 'pgbouncer is not installed: scripts/setup --lab, or apt-get install pgbouncer';
  }
}
