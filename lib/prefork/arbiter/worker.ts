// Worker: the arbiter's side of one worker: its state, its load, its deadlines.

import { Channel } from '../channel.ts';
import { parseWorkerMessage, type Load, type WorkerMessage } from '../messages.ts';
import type { Exit, WorkerProcess } from './worker-source.ts';

/** `booting`: loads its application. `ready`: serves. `draining`: finishes what it has and leaves. */
export type WorkerState = 'booting' | 'ready' | 'draining';

export interface WorkerEvents {
  onReady(worker: Worker): void;
  /** Its load, or something else that counts for how many workers are wanted, has changed. */
  onChange(worker: Worker): void;
  /** It hands a connection over, by this descriptor. */
  onConnection(descriptor: number): void;
  /** Its process is gone. */
  onGone(worker: Worker, exit: Exit): void;
}

/** Milliseconds. */
export interface WorkerDeadlines {
  /** From its start until it serves. */
  bootTimeout: number;
  /** Without a word, which means that its event loop is blocked. */
  workerTimeout: number;
  /** For what runs to end, when it leaves by itself. */
  stopTimeout: number;
}

const GRACE = 12_000; // ms after a drain's timeout: the worker itself gives up after 10,000 of them
const ENDING = 2000; // ms from the end of its channel to its own

export class Worker {
  readonly generation: number;
  readonly process: WorkerProcess;
  readonly startedAt: number = performance.now();
  state: WorkerState = 'booting';
  load: Load = { active: 0, connections: 0, served: 0, rss: 0 };
  /** It has served as many requests as it should, or is at the last of them. */
  worn = false;
  /** It was told to go, or killed by us: its end is no accident. */
  dismissed = false;
  /** Why it could not start, as it says. */
  failure: string | undefined;
  /** Since when it has had nothing to do. */
  idleSince: number = performance.now();
  readonly #channel: Channel;
  readonly #events: WorkerEvents;
  readonly #deadlines: WorkerDeadlines;
  #deadline: number; // of the boot or of the drain
  #heard: number = performance.now();
  #hurried = false;
  #condemned = false;

  constructor(generation: number, process: WorkerProcess, deadlines: WorkerDeadlines, events: WorkerEvents) {
    this.generation = generation;
    this.process = process;
    this.#deadlines = deadlines;
    this.#events = events;
    this.#deadline = performance.now() + deadlines.bootTimeout;
    this.#channel = new Channel(process.channel, {
      onLine: (line) => this.#onMessage(parseWorkerMessage(line)),
      // Its process ends now, or nobody can tell it anything any more.
      onEnd: () => (this.#deadline = performance.now() + ENDING),
    });
    void process.exited.then((exit) => this.#onExit(exit));
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Whether it leaves by itself because it is worn. */
  get leaves(): boolean {
    return this.worn && this.state === 'draining' && !this.dismissed;
  }

  /** Finish what it has, for `timeout` ms, and leave. Again with a shorter time; told twice not to wait, it is killed. `handOver`: its connections go to another worker. */
  drain(timeout: number, handOver = false): void {
    this.dismissed = true;
    if (this.state === 'booting' || this.#hurried) {
      this.process.kill('SIGKILL');
      return;
    }
    this.#deadline = Math.min(this.#deadline, performance.now() + timeout + GRACE);
    this.state = 'draining';
    this.#channel.send({ type: 'drain', timeout, handOver });
    this.#hurried = timeout === 0;
  }

  /** Serve a connection of another worker. Whether it takes it. */
  adopt(descriptor: number): boolean {
    if (this.process.descriptors?.send(descriptor) !== true) return false;
    this.#channel.send({ type: 'connection' });
    this.load = { ...this.load, connections: this.load.connections + 1 };
    return true;
  }

  /** It is of no use any more and will be killed. */
  condemn(): void {
    this.#condemned = true;
    this.dismissed = true;
    this.state = 'draining';
  }

  kill(): void {
    this.dismissed = true;
    this.process.kill('SIGKILL');
  }

  /** Whether its time is over: it does not start, or does not leave. */
  late(now: number): boolean {
    return now > this.#deadline;
  }

  /** Whether its event loop does not turn. */
  silent(now: number): boolean {
    return this.state !== 'booting' && !this.#condemned && now - this.#heard > this.#deadlines.workerTimeout;
  }

  /** Give it all its time again: this process itself has slept. */
  forgive(slept: number): void {
    this.#deadline += slept;
    this.#heard += slept;
  }

  #onMessage(message: WorkerMessage | undefined): void {
    this.#heard = performance.now();
    switch (message?.type) {
      case 'ready':
        if (this.state !== 'booting') break;
        this.state = 'ready';
        this.#deadline = Infinity;
        this.idleSince = performance.now();
        this.#events.onReady(this);
        break;
      case 'failed':
        this.failure = message.message;
        break;
      case 'load':
        if (message.load.active > 0 || message.load.served !== this.load.served) this.idleSince = performance.now();
        this.load = message.load;
        this.#events.onChange(this);
        break;
      case 'worn':
        this.worn = true;
        if (message.leaving) {
          if (this.state === 'ready') this.state = 'draining'; // and may take as long as its last requests do
          this.#channel.send({ type: 'leave' }); // behind all connections that it was given
        }
        this.#events.onChange(this);
        break;
      case 'connection':
        this.#receive();
        break;
      case 'leaving':
        if (this.state !== 'ready') break; // one that boots has failed
        this.state = 'draining';
        this.#deadline = performance.now() + this.#deadlines.stopTimeout + GRACE;
        this.#events.onChange(this);
        break;
      case undefined:
        break; // nothing that can be understood
    }
  }

  /** Whether a connection had come. */
  #receive(): boolean {
    const descriptor = this.process.descriptors?.receive();
    if (descriptor !== undefined) this.#events.onConnection(descriptor);
    return descriptor !== undefined;
  }

  #onExit(exit: Exit): void {
    this.#channel.close();
    while (this.#receive()); // its end may be known before its last messages
    this.process.descriptors?.close();
    this.#events.onGone(this, exit);
  }
}
