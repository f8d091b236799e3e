// Arbiter: keeps as many workers serving as are wanted, replaces those that die, and changes generations without a gap.

import { availableParallelism } from 'node:os';
import { Generation } from './generation.ts';
import { HandOver } from './hand-over.ts';
import type { Logger } from '../logger.ts';
import { Respawn } from './respawn.ts';
import { Scaler, type Scaling } from './scaling.ts';
import { arbiterStatus, type ArbiterStatus } from './status.ts';
import { Watchdog, type WatchdogOptions } from './watchdog.ts';
import { Worker } from './worker.ts';
import type { Exit, WorkerProcess, WorkerSource } from './worker-source.ts';

export interface ArbiterOptions extends WatchdogOptions {
  scaling: Scaling;
  /** Where a generation's workers come from; called once for each, in the arbiter's working directory. */
  source: () => WorkerSource;
  /** Workers leave as soon as they are worn, maybe hundreds in a second: their coming and going is logged as debug. */
  maxRequestsStrict?: boolean;
  /** A worker has begun: somebody must read what it writes. */
  onWorker: (process: WorkerProcess) => void;
  /** Calls back once when a client waits on the listening socket; only asked while there are no workers. */
  onWaiting?: (callback: () => void) => void;
}

/** The workers of a new generation do not come up. The generation that serves, if there is one, goes on. */
export class BootError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BootError';
  }
}

const TICK = 250; // ms
const AT_ONCE = Math.max(2, availableParallelism()); // workers that boot at the same time

export class Arbiter {
  readonly #options: ArbiterOptions;
  readonly #log: Logger;
  readonly #scaler: Scaler;
  readonly #respawn: Respawn = new Respawn();
  readonly #watchdog: Watchdog;
  readonly #generations: Set<Generation> = new Set();
  readonly #handOver: HandOver = new HandOver(
    () => this.#takers(),
    () => this.#expects(),
  );
  readonly #startedAt: number = Date.now();
  #current: Generation | undefined;
  #numbers = 0;
  #reloading: Promise<void> | undefined;
  #again: Promise<void> | undefined; // the reload that was asked for while one went on
  #ticking: NodeJS.Timeout | undefined;
  #watching = false;
  #closing: Promise<unknown> = Promise.resolve(); // of sources
  #onEmpty: (() => void) | undefined;
  #stopped: Promise<void> | undefined;
  #unfinished = false;

  /** Throws RangeError for a scaling whose numbers contradict each other. */
  constructor(options: ArbiterOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#scaler = new Scaler(options.scaling);
    this.#watchdog = new Watchdog(options, () => this.#manage());
  }

  /** Make the first generation. Rejects with a BootError where one of its workers does not start. */
  async start(): Promise<void> {
    this.#ticking = setInterval(() => this.#tick(), TICK);
    await this.#begin();
  }

  /**
   * Replace all workers by new ones, of the code as it is now. The new ones are ready before the old ones drain. Rejects with
   * a BootError where they do not start: then the old ones serve on. Asked again meanwhile, it is done once more.
   */
  reload(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.resolve();
    if (this.#reloading === undefined) {
      if (this.#current === undefined) return Promise.resolve(); // it has not started, or could not
      this.#respawn.forgive();
      return this.#begin();
    }
    this.#again ??= this.#reloading
      .catch(() => {}) // whoever asked for that one knows
      .then(() => {
        this.#again = undefined;
        return this.reload();
      });
    return this.#again;
  }

  /** One worker more, or one less. */
  resize(by: 1 | -1): void {
    this.#scaler.resize(by);
    this.#respawn.forgive();
    this.#manage();
  }

  /** Drain all workers for `timeout` ms and kill those that do not leave. A second call with a shorter time hurries them. */
  stop(timeout: number): Promise<void> {
    this.#stopped ??= new Promise<void>((resolve) => (this.#onEmpty = resolve)).then(async () => {
      clearInterval(this.#ticking);
      this.#handOver.close();
      await this.#closing;
    });
    for (const generation of this.#generations) {
      generation.boot?.reject(new BootError('stopped before the workers were ready'));
      this.#retire(generation, timeout);
    }
    this.#manage();
    return this.#stopped;
  }

  /** Whether, since it was told to stop, a worker has left what it was at. */
  get unfinished(): boolean {
    return this.#unfinished;
  }

  status(): ArbiterStatus {
    const state =
      this.#stopped !== undefined
        ? 'stopping'
        : this.#current === undefined
          ? 'starting'
          : this.#reloading !== undefined
            ? 'reloading'
            : 'running';
    return arbiterStatus(state, this.#startedAt, this.#current?.number ?? 0, this.#scaler.wanted, this.#workers);
  }

  get #workers(): Worker[] {
    return [...this.#generations].flatMap(({ workers }) => [...workers]);
  }

  /** One generation at a time is made: of two, the older code could be ready last. */
  #begin(): Promise<void> {
    this.#reloading = this.#bootGeneration().finally(() => (this.#reloading = undefined));
    return this.#reloading;
  }

  /** Have a new generation ready, then let the one before go. */
  async #bootGeneration(): Promise<void> {
    const generation = new Generation(++this.#numbers, this.#options.source());
    const serving = this.#current?.ready.length ?? 0;
    const wanted = Math.max(1, this.#scaler.wanted, serving);
    this.#generations.add(generation);
    try {
      await new Promise<void>((resolve, reject) => {
        generation.boot = { wanted, resolve, reject };
        this.#manage();
      });
    } finally {
      generation.boot = undefined;
    }
    const before = this.#current;
    this.#current = generation;
    if (before !== undefined) this.#retire(before, this.#options.stopTimeout, true);
    this.#manage();
  }

  #retire(generation: Generation, timeout: number, handOver = false): void {
    generation.retire(timeout, handOver);
    this.#sweepOut(generation);
  }

  /** Make what is missing, dismiss what is too much. */
  #manage(): void {
    for (const generation of this.#generations) {
      if (generation.boot !== undefined && !generation.retired) this.#fill(generation, generation.boot.wanted);
    }
    const current = this.#current;
    if (this.#stopped !== undefined) {
      if (this.#generations.size === 0) this.#onEmpty?.();
    } else if (current !== undefined && !current.retired) {
      this.#thin(current);
      if (performance.now() < this.#respawn.from) return; // the tick comes back to it
      this.#fill(current, this.#scaler.wanted);
      this.#watch(current);
    }
  }

  #fill(generation: Generation, wanted: number): void {
    const fresh = generation.ready.filter(({ worn }) => !worn).length;
    const { leaving } = generation;
    const missing = (leaving > 0 ? Math.min(wanted, this.#scaler.most - leaving) : wanted) - fresh;
    for (let coming = generation.coming; coming < Math.min(missing, AT_ONCE); coming++) void this.#make(generation);
  }

  /** Workers beyond what is wanted leave: those that are worn, then those that have had nothing to do for longest. */
  #thin(generation: Generation): void {
    const ready = generation.ready;
    const surplus = ready.length - this.#scaler.wanted;
    if (surplus <= 0) return;
    ready.sort((a, b) => Number(b.worn) - Number(a.worn) || a.load.active - b.load.active || a.idleSince - b.idleSince);
    for (const worker of ready.slice(0, surplus)) {
      this.#log.debug({ worker: worker.pid }, worker.worn ? 'a worn worker leaves' : 'a worker too many leaves');
      worker.drain(this.#options.stopTimeout, ready.length > surplus);
    }
  }

  /** On demand: without workers, somebody must see that a client waits. */
  #watch(generation: Generation): void {
    const { onWaiting } = this.#options;
    if (onWaiting === undefined || this.#watching || this.#scaler.wanted > 0) return;
    if (generation.ready.length + generation.coming > 0) return;
    this.#watching = true;
    onWaiting(() => {
      this.#watching = false;
      this.#scaler.wake();
      this.#manage();
    });
  }

  async #make(generation: Generation): Promise<void> {
    generation.ordered += 1;
    try {
      const process = await generation.source.make();
      const worker = new Worker(generation.number, process, this.#options, {
        onReady: () => this.#onReady(generation, worker),
        onChange: () => {
          if (worker.worn || worker.state === 'draining') this.#manage();
        },
        onConnection: (descriptor) => this.#handOver.pass(descriptor),
        onGone: (_worker, exit) => this.#onGone(generation, worker, exit),
      });
      generation.workers.add(worker);
      this.#options.onWorker(process);
      if (generation.retired) worker.kill();
    } catch (error) {
      this.#onBootFailed(generation, error as Error);
    } finally {
      generation.ordered -= 1;
      this.#sweepOut(generation);
      this.#manage();
    }
  }

  /** Who takes connections of draining workers, those with the fewest first. */
  #takers(): Worker[] {
    const ready = this.#current?.ready ?? [];
    return ready.sort((a, b) => Number(a.worn) - Number(b.worn) || a.load.connections - b.load.connections);
  }

  /** Whether there will be some where there are none now. */
  #expects(): boolean {
    return this.#stopped === undefined && this.#current?.retired === false && this.#scaler.wanted > 0;
  }

  #onReady(generation: Generation, worker: Worker): void {
    const took = Math.round(performance.now() - worker.startedAt);
    const { boot } = generation;
    generation.started += 1;
    const level = boot === undefined && this.#options.maxRequestsStrict === true ? 'debug' : 'info';
    this.#log[level]({ worker: worker.pid, generation: generation.number }, `a worker is ready after ${took} ms`);
    if (boot !== undefined && generation.started >= boot.wanted) boot.resolve(); // one may have had all its requests already
    this.#handOver.retry();
    this.#manage();
  }

  #onGone(generation: Generation, worker: Worker, exit: Exit): void {
    generation.workers.delete(worker);
    const how = endText(exit);
    const fields = { worker: worker.pid, generation: generation.number };
    if (this.#stopped !== undefined && worker.state === 'draining' && exit.code !== 0) this.#unfinished = true;
    if (worker.dismissed && worker.state === 'booting') {
      this.#log.debug(fields, 'a worker that was not ready yet is gone');
    } else if (worker.leaves && exit.code === 0) {
      this.#log.debug(fields, 'a worn worker is gone');
    } else if (worker.dismissed || (worker.state === 'draining' && exit.code === 0)) {
      this.#log.info(fields, `a worker is gone: ${how}`);
    } else if (worker.state === 'booting') {
      this.#onBootFailed(generation, new BootError(worker.failure ?? `a worker ended before it was ready: ${how}`));
    } else {
      const age = Math.round((performance.now() - worker.startedAt) / 1000);
      this.#log.error({ ...fields, active: worker.load.active }, `a worker died after ${age} s: ${how}`);
      if (generation.boot !== undefined) this.#onBootFailed(generation, new BootError(`a worker died early: ${how}`));
      else if (exit.signal !== 'SIGKILL') this.#respawn.died('crash', performance.now());
    }
    this.#sweepOut(generation);
    this.#manage();
  }

  #onBootFailed(generation: Generation, error: Error): void {
    if (generation.retired) return;
    if (generation.boot !== undefined) {
      generation.boot.reject(error instanceof BootError ? error : new BootError(error.message, { cause: error }));
      this.#retire(generation, this.#options.stopTimeout); // now, so that no more are made; some may have requests already
    } else {
      this.#respawn.died('boot', performance.now());
      const wait = Math.max(0, Math.round((this.#respawn.from - performance.now()) / 1000));
      this.#log.error(
        { generation: generation.number },
        `a worker did not start, next try in ${wait} s: ${error.message}`,
      );
    }
  }

  /**
   * A source is needed until its last worker is gone: a zygote is the parent of those it has forked. It is not for those that
   * have not come yet: to close it is what ends a load that they wait for.
   */
  #sweepOut(generation: Generation): void {
    if (!generation.retired || generation.workers.size > 0) return;
    const closed = generation.close();
    if (generation.ordered > 0 || !this.#generations.delete(generation)) return;
    this.#closing = Promise.all([this.#closing, closed]);
  }

  #tick(): void {
    const now = performance.now();
    this.#watchdog.check(this.#workers, now);
    const current = this.#current;
    if (current !== undefined) {
      const { coming, leaving } = current;
      const fresh = current.ready.filter(({ worn }) => !worn);
      const awaited = coming + leaving > 0 ? this.#scaler.wanted - fresh.length : 0; // as soon as there is room for them
      this.#scaler.review({
        booting: Math.max(coming, awaited),
        idle: fresh.map(({ load, idleSince }) => (load.active > 0 ? 0 : Math.max(1, now - idleSince))),
      });
    }
    this.#manage();
  }
}

function endText({ code, signal }: Exit): string {
  if (signal !== null) return `signal ${signal}`;
  return code === null ? 'nobody knows how' : `exit code ${code}`;
}
