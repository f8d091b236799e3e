// WorkerLife: one worker's life in its own process, spawned or forked, from serving to leaving.

import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { request_finished } from '../../signals/index.ts';
import { Channel } from '../channel.ts';
import type { DescriptorPipe } from '../descriptor-pipe.ts';
import type { Logger } from '../logger.ts';
import { parseOrder, type Load } from '../messages.ts';
import type { ServingProgram, WorkerProgram, WorkerSettings } from '../program.ts';
import { LISTENER_SLOT } from '../slots.ts';

const REPORT = 250; // ms between two looks at the load
const HEARTBEAT = 1000; // ms between two reports where nothing changes
const GRACE = 10_000; // ms for receivers of signals to end once everything else has
const MAX_MESSAGE = 8000; // characters of an error

/** Everything that ends a worker ends in process.exit. */
export class WorkerLife {
  readonly #program: WorkerProgram;
  readonly #openDescriptors: () => DescriptorPipe;
  readonly #channel: Channel;
  #descriptors: DescriptorPipe | undefined;
  #settings: WorkerSettings | undefined;
  #log: Logger | undefined;
  #serving: ServingProgram | undefined;
  #stopping = false;
  #reported = '';
  #reportedAt = 0;
  #onStart: ((settings: WorkerSettings) => void) | undefined;

  /** `descriptors`: makes the way for connections, where there is one. */
  constructor(program: WorkerProgram, socket: Socket, descriptors: () => DescriptorPipe) {
    this.#program = program;
    this.#openDescriptors = descriptors;
    this.#channel = new Channel(socket, {
      onLine: (line) => this.#onOrder(line),
      onEnd: () => this.#stop('the arbiter is gone', this.#settings?.stopTimeout ?? 0, 0),
    });
    process.on('SIGTERM', () => this.#leave('SIGTERM', 0));
    // A terminal sends these to every process of the group; the arbiter hears them too, and says what to do.
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => {});
    const failed = (error: unknown): void => {
      this.#log?.error({ err: error }, 'an error outside of any request');
      if (this.#serving === undefined) this.fail(error);
      else this.#leave('its state is not known any more', 1);
    };
    process.on('uncaughtException', failed);
    process.on('unhandledRejection', failed);
  }

  /** What the arbiter wants this worker to be. */
  settings(): Promise<WorkerSettings> {
    return new Promise((resolve) => (this.#onStart = resolve));
  }

  /** Serve until told to leave. */
  async serve(settings: WorkerSettings): Promise<void> {
    this.#settings = settings;
    this.#log = this.#program.log(settings.program);
    if (settings.handOver) this.#descriptors = this.#openDescriptors();
    if (settings.maxRequests > 0) this.#count(settings.maxRequests, settings.maxRequestsJitter);
    this.#serving = await this.#program.serve(settings.program, LISTENER_SLOT, settings.first === true);
    this.#channel.send({ type: 'ready' });
    setInterval(() => this.#report(), REPORT);
    this.#report();
  }

  /** It cannot serve. */
  fail(error: unknown): never {
    this.#channel.send({ type: 'failed', message: messageOf(error) });
    process.exit(1);
  }

  #onOrder(line: string): void {
    const order = parseOrder(line);
    if (order.type === 'start') this.#onStart?.(order.settings as WorkerSettings);
    else if (order.type === 'drain') this.#stop('told to', order.timeout, 0, order.handOver);
    else if (order.type === 'connection') this.#adopt();
  }

  /** By itself: the arbiter is to make another one. */
  #leave(why: string, exitCode: number): void {
    if (this.#stopping) return;
    this.#channel.send({ type: 'leaving' });
    this.#stop(why, this.#settings?.stopTimeout ?? 0, exitCode);
  }

  #stop(why: string, timeout: number, exitCode: number, handOver = false): void {
    if (this.#serving === undefined) process.exit(exitCode);
    if (this.#stopping) {
      if (timeout === 0) process.exit(exitCode); // it is to hurry
      return;
    }
    this.#stopping = true;
    this.#log?.debug({}, `draining: ${why}`);
    setTimeout(() => {
      this.#log?.error({}, 'leaving takes too long: a receiver of request_finished or worker_stopping does not end');
      process.exit(1);
    }, timeout + GRACE).unref();
    this.#close(this.#serving, timeout, handOver).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        this.#log?.error({ err: error }, 'leaving failed');
        process.exit(1);
      },
    );
  }

  async #close(serving: ServingProgram, timeout: number, handOver: boolean): Promise<void> {
    // Two turns of the event loop, in which it accepts who waits: there may be nobody else to do it.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    await serving.close({ timeout, ...(handOver && { handOver: (descriptor) => this.#handOver(descriptor) }) });
  }

  #handOver(descriptor: number): boolean {
    if (this.#descriptors?.send(descriptor) !== true) return false;
    this.#channel.send({ type: 'connection' });
    return true;
  }

  #adopt(): void {
    const descriptor = this.#descriptors?.receive();
    if (descriptor === undefined) return;
    try {
      if (this.#serving === undefined) throw new Error('it does not serve');
      this.#serving.adopt(descriptor);
    } catch (error) {
      closeSync(descriptor);
      this.#log?.warn({ err: error }, 'a connection of another worker could not be taken over');
    }
  }

  #count(maxRequests: number, jitter: number): void {
    let left = maxRequests + Math.floor(Math.random() * (jitter + 1));
    request_finished.connect(() => {
      if (--left === 0) this.#channel.send({ type: 'worn' });
    });
  }

  #report(): void {
    const load: Omit<Load, 'rss'> = (this.#serving as ServingProgram).load();
    const now = performance.now();
    const text = JSON.stringify(load);
    if (text === this.#reported && now - this.#reportedAt < HEARTBEAT) return;
    this.#reported = text;
    this.#reportedAt = now;
    this.#channel.send({ type: 'load', load: { ...load, rss: process.memoryUsage.rss() } });
  }
}

/** An error as its stack, which says where in the application it was. */
export function messageOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.slice(0, MAX_MESSAGE);
}
