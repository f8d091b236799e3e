// arbiter/: keeps workers serving, and where they come from.

export { Arbiter, BootError, type ArbiterOptions } from './arbiter.ts';
export { blockedStack } from './blocked-stack.ts';
export { whenWaiting } from './listener-watch.ts';
export type { Scaling } from './scaling.ts';
export { spawnSource } from './spawn-source.ts';
export type { ArbiterStatus, WorkerStatus } from './status.ts';
export type { Program, WorkerProcess, WorkerSource } from './worker-source.ts';
export { ZygoteSource } from './zygote-source.ts';
