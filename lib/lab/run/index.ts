// run/: from the matrix to a result, with real servers and real processes.

export { DRIVERS, matrix, type MatrixOptions, select } from './cells.ts';
export { Lab } from './lab.ts';
export type { Deployed } from './run-cell.ts';
export { type LabOptions, type Progress, runLab } from './run-lab.ts';
