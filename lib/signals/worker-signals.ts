// The signals of a worker's life, and of the fork that some come from. `sender` is undefined.

import { Signal } from './signal.ts';

/** Which worker. */
export interface WorkerEvent {
  /** The worker's process id. */
  pid: number;
  /** How many workers there may be of the application, this one counted. */
  workers: number;
  /** It is the first of its generation: for what one of them is to do for all. */
  first: boolean;
}

/** A worker has loaded its application and is about to serve. Awaited before the first request. */
export const worker_started: Signal<WorkerEvent> = new Signal('worker_started');

/** A worker has served its last request and is about to leave. Awaited before it does. */
export const worker_stopping: Signal<WorkerEvent> = new Signal('worker_stopping');

/** A fork. */
export interface ForkEvent {
  /** The process that hears this: the zygote's id, or the worker's own. */
  pid: number;
}

/** In the zygote, before each fork(2). Awaited: what must not be shared with workers can be closed here. */
export const before_fork: Signal<ForkEvent> = new Signal('before_fork');

/** After each fork(2): in the worker before anything else is done (`inWorker`), and in the zygote. Awaited in both. */
export const after_fork: Signal<ForkEvent & { inWorker: boolean }> = new Signal('after_fork');
