// prefork/: arbiter, workers by spawn or by fork, and what both run. It knows nothing of what is served.

export * from './arbiter/index.ts';
export { buildNative, findNative, loadNative, type Native } from './native.ts';
export type { WorkerPlace, WorkerProgram, WorkerSettings } from './program.ts';
export { drainTimeoutAfterUncaught } from './uncaught.ts';
export { runWorker } from './worker/index.ts';
export { runZygote } from './zygote/index.ts';
