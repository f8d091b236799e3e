// run/: from a cell to its result, with real servers and real processes.

export { DRIVERS, FIXES, matrix, type MatrixOptions, select } from './cells.ts';
export { RefusedError } from './deployment.ts';
export { Lab } from './lab.ts';
export type { CellOptions, Deployed } from './run-cell.ts';
export { versions } from './versions.ts';
