// runLab(): a whole run, cell after cell, to its result.

import type { Cell, CellResult, LabResult, WebServerName } from '../result.ts';
import { Lab } from './lab.ts';
import { feasible } from './plan.ts';
import { versions } from './versions.ts';

export interface LabOptions {
  readonly cells: readonly Cell[];
  /** Of each cell. */
  readonly requests: number;
  /** ms without an answer that are a hang, where one is to be expected. Where the law speaks it is 5 times as long. */
  readonly timeout: number;
  readonly webServer: WebServerName;
  /** What was typed, for the report. */
  readonly command: string;
  /** Ends the run early: the result has the cells that are done by then. Rejects with its reason where none is. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  /** From 1. */
  readonly number: number;
  readonly of: number;
  readonly cell: Cell;
  /** Undefined: it begins. */
  readonly result?: CellResult;
}

const PICTURE = 12; // requests of those cells that have a picture

/** Rejects with what to install where a server is missing. Nothing is left behind. */
export async function runLab(options: LabOptions): Promise<LabResult> {
  const { requests, timeout, webServer, command, signal, onProgress } = options;
  const startedAt = new Date();
  const lab = await Lab.create(webServer);
  try {
    const { cells, left } = await feasible(options.cells, lab);
    const pictured = picturedCells(cells);
    const results: CellResult[] = [];
    const failed = (error: unknown): undefined => {
      if (!signal.aborted) throw error;
    };
    for (const [at, cell] of cells.entries()) {
      if (signal.aborted) break;
      onProgress({ number: at + 1, of: cells.length, cell });
      const result = await lab
        .run(cell, { requests, timeout, picture: pictured.has(cell) ? PICTURE : 0, signal })
        .catch(failed);
      if (result === undefined) break;
      results.push(result);
      onProgress({ number: at + 1, of: cells.length, cell, result });
    }
    if (results.length === 0) signal.throwIfAborted();
    const missing = cells.length - results.length;
    if (missing > 0) left.push(`${missing} ${missing === 1 ? 'cell' : 'cells'}: ${(signal.reason as Error).message}`);
    return {
      startedAt: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 100) / 10,
      command,
      versions: { ...(await versions(lab.native)), postgresql: lab.postgresVersion },
      webServer,
      cells: results,
      left,
    };
  } finally {
    await lab.remove();
  }
}

/** Of each fix of the thread's deployment the first cell, which is the one with the fewest workers that come and go. */
function picturedCells(cells: readonly Cell[]): ReadonlySet<Cell> {
  const pictured = new Map<string, Cell>();
  for (const cell of cells) {
    const { deployment, driver, fix, workers, maxRequests } = cell;
    if (deployment !== 'fork') continue;
    const key = `${driver} ${fix}`;
    const known = pictured.get(key);
    const suits = workers === 4 && maxRequests === 0 && known?.workers !== 4;
    if (known === undefined || suits) pictured.set(key, cell);
  }
  return new Set(pictured.values());
}
