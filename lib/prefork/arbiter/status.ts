// What `postfork status` shows of an arbiter and its workers.

import type { Worker, WorkerState } from './worker.ts';

export interface ArbiterStatus {
  pid: number;
  state: 'starting' | 'running' | 'reloading' | 'stopping';
  /** ISO 8601. */
  startedAt: string;
  generation: number;
  /** Workers that are wanted now. */
  wanted: number;
  workers: WorkerStatus[];
}

export interface WorkerStatus {
  pid: number;
  generation: number;
  state: WorkerState;
  /** Requests since its start. */
  requests: number;
  /** Requests that it is at. */
  active: number;
  connections: number;
  /** Resident memory in bytes; of forked workers much of it is shared. */
  rss: number;
  /** Seconds. */
  age: number;
}

export function arbiterStatus(
  state: ArbiterStatus['state'],
  startedAt: number,
  generation: number,
  wanted: number,
  workers: readonly Worker[],
): ArbiterStatus {
  return {
    pid: process.pid,
    state,
    startedAt: new Date(startedAt).toISOString(),
    generation,
    wanted,
    workers: workers.map((worker) => ({
      pid: worker.pid,
      generation: worker.generation,
      state: worker.state,
      requests: worker.load.served,
      active: worker.load.active,
      connections: worker.load.connections,
      rss: worker.load.rss,
      age: Math.round((performance.now() - worker.startedAt) / 1000),
    })),
  };
}
