// prefork/: arbiter, workers by spawn or by fork, and what both run. It knows nothing of what is served.

export { Arbiter, BootError, type ArbiterOptions } from './arbiter.ts';
export { blockedStack } from './blocked-stack.ts';
export { whenWaiting } from './listener-watch.ts';
export type { Logger } from './logger.ts';
export { buildNative, findNative, loadNative, type Native } from './native.ts';
export type { ServingProgram, WorkerProgram, WorkerSettings } from './program.ts';
export { runWorker } from './run-worker.ts';
export { runZygote } from './run-zygote.ts';
export type { DynamicScaling, OnDemandScaling, Scaling, StaticScaling } from './scaling.ts';
export { spawnSource } from './spawn-source.ts';
export type { ArbiterStatus, WorkerStatus } from './status.ts';
export type { Program, WorkerProcess, WorkerSource } from './worker-source.ts';
export { ZygoteSource } from './zygote-source.ts';
