// The signals of a worker's life. `sender` is undefined.

import { Signal } from './signal.ts';

/** Which worker. */
export interface WorkerEvent {
  /** The worker's process id. */
  pid: number;
}

/** A worker has loaded its application and is about to serve. Awaited before the first request. */
export const worker_started: Signal<WorkerEvent> = new Signal('worker_started');

/** A worker has served its last request and is about to leave. Awaited before it does. */
export const worker_stopping: Signal<WorkerEvent> = new Signal('worker_stopping');
