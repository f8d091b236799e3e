// worker/: one worker's life in its own process.

export { runWorker } from './run-worker.ts';
export { messageOf, WorkerLife } from './worker-life.ts';
