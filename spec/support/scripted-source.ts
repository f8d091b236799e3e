// A WorkerSource without processes: its workers do what the spec says.

import type { Socket } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import type { Exit, WorkerProcess, WorkerSource } from '../../lib/prefork/arbiter/worker-source.ts';

/** An order as a worker gets it. */
export interface Order {
  type: string;
  timeout?: number;
}

/** What a worker does from its start on; it may change its `onOrder` and `onKill`. */
export type Behaviour = (worker: ScriptedWorker) => void;

let pids = 1000;

export class ScriptedWorker implements WorkerProcess {
  readonly descriptors = undefined;
  readonly pid: number = ++pids;
  readonly channel: Socket;
  readonly stdout: PassThrough = new PassThrough();
  readonly stderr: PassThrough = new PassThrough();
  readonly inspectable = false;
  readonly exited: Promise<Exit>;
  /** What it was told, and the OS signals it got. */
  readonly orders: Order[] = [];
  readonly kills: NodeJS.Signals[] = [];
  onOrder: (order: Order) => void = () => this.end({ code: 0, signal: null });
  onKill: (signal: NodeJS.Signals) => void = (signal) => this.end({ code: null, signal });
  /** How it ended. */
  exit: Exit | undefined;
  #ended!: (exit: Exit) => void;

  constructor() {
    this.exited = new Promise((resolve) => (this.#ended = resolve));
    this.channel = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of String(chunk).trim().split('\n')) this.#hear(JSON.parse(line) as Order);
        done();
      },
    }) as unknown as Socket;
  }

  get running(): boolean {
    return this.exit === undefined;
  }

  kill(signal: NodeJS.Signals): void {
    if (!this.running) return;
    this.kills.push(signal);
    this.onKill(signal);
  }

  /** Send a message, or a line that may be none. */
  say(message: object | string): void {
    if (this.running) this.channel.push(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  ready(): void {
    this.say({ type: 'ready' });
  }

  load(active: number, served: number = active): void {
    this.say({ type: 'load', load: { active, connections: active, served, rss: 1024 } });
  }

  /** Its process ends; what it has said comes first. */
  end(exit: Exit): void {
    if (!this.running) return;
    this.exit = exit;
    this.channel.push(null);
    setImmediate(() => this.#ended(exit));
  }

  #hear(order: Order): void {
    this.orders.push(order);
    this.onOrder(order);
  }
}

/** Ready at once; leaves when told to. */
export const serves: Behaviour = (worker) => worker.ready();

/** Loads for ever. */
export const hangs: Behaviour = () => {};

/** Ready, and does not leave when told to. */
export const stays: Behaviour = (worker) => {
  worker.onOrder = () => {};
  worker.ready();
};

export const failsToBoot =
  (message: string): Behaviour =>
  (worker) => {
    worker.say({ type: 'failed', message });
    worker.end({ code: 1, signal: null });
  };

export class ScriptedSource implements WorkerSource {
  /** All that were made. */
  readonly workers: ScriptedWorker[] = [];
  /** How often `make` was called. */
  made = 0;
  closed = 0;
  /** Awaited by `make`; where it rejects, so does `make`. */
  before: () => Promise<unknown> = async () => {};
  behaviour: Behaviour;

  constructor(behaviour: Behaviour = serves) {
    this.behaviour = behaviour;
  }

  get running(): ScriptedWorker[] {
    return this.workers.filter(({ running }) => running);
  }

  async make(): Promise<WorkerProcess> {
    this.made += 1;
    await this.before();
    const worker = new ScriptedWorker();
    this.workers.push(worker);
    this.behaviour(worker);
    return worker;
  }

  async close(): Promise<void> {
    this.closed += 1;
  }
}
