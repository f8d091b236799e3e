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
import { drainTimeoutAfterUncaught } from '../uncaught.ts';

const REPORT = 250; // ms between two looks at the load
const HEARTBEAT = 1000; // ms between two reports where nothing changes
const GRACE = 10_000; // ms for receivers of signals to end once everything else has
const RELEASED_WITHIN = 5000; // ms for the arbiter to answer a worker that is worn
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
  #timeout = Infinity; // to stop in, in ms
  #until = Infinity; // when that is over, of performance.now()
  #closing = false; // its program has been told
  #handsOver = false; // its connections, while it stops
  #worn = false; // it stops because it is
  #spent = false; // its last request has begun, also where it leaves for another reason
  #resting = false; // and has no request any more
  #onReleased: () => void = () => {};
  #reported = '';
  #reportedAt = 0;
  #onStart: ((settings: WorkerSettings) => void) | undefined;

  /** `descriptors`: makes the way for connections, where there is one. */
  constructor(program: WorkerProgram, socket: Socket, descriptors: () => DescriptorPipe) {
    this.#program = program;
    this.#openDescriptors = descriptors;
    this.#channel = new Channel(socket, {
      onLine: (line) => this.#onOrder(line),
      onEnd: () => {
        this.#onReleased();
        this.#stop('the arbiter is gone', this.#stopTimeout, 0);
      },
    });
    process.on('SIGTERM', () => this.#leave('SIGTERM', this.#stopTimeout, 0));
    // A terminal sends these to every process of the group; the arbiter hears them too, and says what to do.
    for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => {});
    process.on('uncaughtException', (error) => this.#onUncaught(error));
    process.on('unhandledRejection', (error) => this.#onUncaught(error));
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
    const onRequest = this.#countRequests(settings);
    const place = { first: settings.first === true, onRequest };
    this.#serving = await this.#program.serve(settings.program, LISTENER_SLOT, place);
    this.#channel.send({ type: 'ready' });
    setInterval(() => this.#report(), REPORT);
    this.#report();
  }

  /** It cannot serve. */
  fail(error: unknown): never {
    this.#channel.send({ type: 'failed', message: messageOf(error, this.#program) });
    process.exit(1);
  }

  #onOrder(line: string): void {
    const order = parseOrder(line);
    if (order.type === 'start') this.#onStart?.(order.settings as WorkerSettings);
    else if (order.type === 'drain') this.#stop('told to', order.timeout, 0, order.handOver);
    else if (order.type === 'connection') this.#adopt();
    else if (order.type === 'leave') this.#onReleased();
  }

  get #stopTimeout(): number {
    return this.#settings?.stopTimeout ?? 0;
  }

  /** Nobody knows what state it has left behind. */
  #onUncaught(error: unknown): void {
    const known = this.#serving?.fail(error) === true;
    if (!known) this.#log?.error({ err: error }, 'an error outside of any request');
    if (this.#serving === undefined) this.fail(error);
    const timeout = drainTimeoutAfterUncaught(this.#stopTimeout, known);
    this.#leave('its state is not known any more', timeout, 1);
  }

  /** By itself: the arbiter is to make another one. */
  #leave(why: string, timeout: number, exitCode: number): void {
    if (!this.#stopping) this.#channel.send({ type: 'leaving' });
    this.#stop(why, timeout, exitCode);
  }

  #stop(why: string, timeout: number, exitCode: number, handOver = false): void {
    if (this.#serving === undefined) process.exit(exitCode);
    if (this.#stopping) {
      if (timeout === 0) process.exit(exitCode || Number(this.#serving.load().active > 0)); // it is to hurry
      if (performance.now() + timeout < this.#until) this.#hurry(this.#serving, timeout);
      return;
    }
    this.#stopping = true;
    this.#setTimeout(timeout);
    this.#handsOver = handOver;
    this.#log?.debug({}, `draining: ${why}`);
    if (timeout < Infinity) this.#giveUpAfter(timeout);
    this.#close(this.#serving, handOver).then(
      () => process.exit(exitCode),
      (error: unknown) => {
        this.#log?.error({ err: error }, 'leaving failed');
        process.exit(1);
      },
    );
  }

  /** It has less time than it was told before; a worn one has as long as it takes until it is set a limit. */
  #hurry(serving: ServingProgram, timeout: number): void {
    this.#setTimeout(timeout);
    if (this.#closing) void serving.close({ timeout });
    this.#giveUpAfter(timeout);
  }

  #setTimeout(timeout: number): void {
    this.#timeout = timeout;
    this.#until = performance.now() + timeout;
  }

  #giveUpAfter(timeout: number): void {
    setTimeout(() => {
      this.#log?.error({}, 'leaving takes too long: a receiver of request_finished or worker_stopping does not end');
      process.exit(1);
    }, timeout + GRACE).unref();
  }

  async #close(serving: ServingProgram, handOver: boolean): Promise<void> {
    // Two turns of the event loop, in which it accepts who waits: there may be nobody else to do it.
    for (let turn = 0; turn < 2 && !this.#spent; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#closing = true;
    const how = {
      timeout: this.#timeout,
      ...(handOver && { handOver: (descriptor: number) => this.#handOver(descriptor) }),
    };
    await Promise.all([serving.close(how), this.#worn && this.#released()]);
  }

  /** Resolves when no connection of another worker is on its way here any more. */
  #released(): Promise<void> {
    return new Promise((resolve) => {
      this.#onReleased = resolve;
      setTimeout(resolve, RELEASED_WITHIN).unref();
    });
  }

  #handOver(descriptor: number): boolean {
    if (this.#descriptors?.send(descriptor) !== true) return false;
    this.#channel.send({ type: 'connection' });
    return true;
  }

  #adopt(): void {
    const descriptor = this.#descriptors?.receive();
    if (descriptor === undefined) return;
    if (this.#worn && this.#handOver(descriptor)) return closeSync(descriptor); // it was on its way already
    try {
      if (this.#serving === undefined) throw new Error('it does not serve');
      this.#serving.adopt(descriptor);
    } catch (error) {
      closeSync(descriptor);
      this.#log?.warn({ err: error }, 'a connection of another worker could not be taken over');
    }
  }

  /** What a request's beginning is to be told. */
  #countRequests({ maxRequests, maxRequestsJitter, maxRequestsStrict }: WorkerSettings): () => void {
    let left = maxRequests;
    if (maxRequests > 0 && maxRequestsStrict) {
      return () => {
        if (--left === 0) this.#wearOut();
      };
    }
    if (maxRequests > 0) {
      left += Math.floor(Math.random() * (maxRequestsJitter + 1));
      request_finished.connect(() => {
        if (--left === 0) this.#channel.send({ type: 'worn', leaving: false });
      });
    }
    return () => {};
  }

  /** Its last request begins: before anybody can have the answer and send another one, nobody is to find it here any more. */
  #wearOut(): void {
    this.#spent = true;
    const serving = this.#serving as ServingProgram;
    const handOver = this.#stopping ? this.#handsOver : this.#descriptors !== undefined;
    if (!handOver) serving.closeWithAnswers();
    if (this.#stopping) return;
    this.#channel.send({ type: 'worn', leaving: true });
    this.#worn = true;
    this.#stop('it is worn', Infinity, 0, handOver);
  }

  #report(): void {
    const serving = this.#serving as ServingProgram;
    const load: Omit<Load, 'rss'> = serving.load();
    if (this.#worn && !this.#resting && load.active === 0 && load.connections === 0) {
      this.#resting = true;
      this.#hurry(serving, this.#stopTimeout); // work after the response, and receivers
    }
    const now = performance.now();
    const text = JSON.stringify(load);
    if (text === this.#reported && now - this.#reportedAt < HEARTBEAT) return;
    this.#reported = text;
    this.#reportedAt = now;
    this.#channel.send({ type: 'load', load: { ...load, rss: process.memoryUsage.rss() } });
  }
}

/** An error as its stack, which says where in the application it was. */
export function messageOf(error: unknown, program?: WorkerProgram): string {
  const text = program?.describe?.(error) ?? (error instanceof Error ? (error.stack ?? error.message) : String(error));
  return text.slice(0, MAX_MESSAGE);
}
