// runZygote(): the program of the zygote's process, which loads the application once and forks workers on order.

import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { after_fork, before_fork } from '../../signals/index.ts';
import { Channel } from '../channel.ts';
import { collectGarbage } from './collect-garbage.ts';
import { DescriptorPipe } from '../descriptor-pipe.ts';
import { guardMessage, watchSockets, type SocketWatch } from './fork-guard.ts';
import { becomeForkedProcess, unfinishedWork } from './forked-process.ts';
import type { Logger } from '../logger.ts';
import { watchLoaderThread } from './loader-thread.ts';
import { parseOrder } from '../messages.ts';
import { loadNative, type Native } from '../native.ts';
import type { WorkerProgram, WorkerSettings } from '../program.ts';
import { installForkSafeRandom, type ForkSafeRandom } from './randomness.ts';
import { messageOf, WorkerLife } from '../worker/index.ts';
import { CHANNEL_SLOT, DESCRIPTORS_SLOT } from '../slots.ts';

const QUIET_WITHIN = 1000; // ms that a fork waits for what the application has in flight
const LOOK = 10; // ms between two looks at it
// A terminal and systemd send these to all processes of the service; the arbiter says what to do.
const SIGNALS = ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM'] as const;
const ERRORS = ['uncaughtException', 'unhandledRejection'] as const;

/** Load, then fork when told to. It ends with the arbiter. */
export async function runZygote(program: WorkerProgram): Promise<void> {
  const native = loadNative();
  const random = installForkSafeRandom(); // before anything of the application could keep Math.random
  const zygote = new Zygote(program, native, random, watchSockets());
  await zygote.load();
}

class Zygote {
  readonly #program: WorkerProgram;
  readonly #native: Native;
  readonly #random: ForkSafeRandom;
  readonly #sockets: SocketWatch;
  readonly #loaderThread: () => string | undefined = watchLoaderThread();
  readonly #socket: Socket = new Socket({ fd: CHANNEL_SLOT });
  readonly #channel: Channel;
  readonly #workers: Set<number> = new Set();
  readonly #warned: Set<string> = new Set();
  readonly #reap = (): void => this.#reapWorkers();
  readonly #ignore = (): void => {};
  readonly #fail = (error: unknown): never => this.#failed(error);
  #settings!: WorkerSettings;
  #log!: Logger;
  #loaded = false;
  #forks = 0;
  #orders: Promise<unknown> = Promise.resolve(); // one after the other
  #onStart: ((settings: WorkerSettings) => void) | undefined;

  constructor(program: WorkerProgram, native: Native, random: ForkSafeRandom, sockets: SocketWatch) {
    this.#program = program;
    this.#native = native;
    this.#random = random;
    this.#sockets = sockets;
    this.#channel = new Channel(this.#socket, {
      onLine: (line) => this.#onOrder(line),
      onEnd: () => process.exit(0), // the arbiter is gone; the workers see that by themselves
    });
    process.on('SIGCHLD', this.#reap);
    for (const signal of SIGNALS) process.on(signal, this.#ignore);
    for (const event of ERRORS) process.on(event, this.#fail);
  }

  async load(): Promise<void> {
    this.#settings = await new Promise((resolve) => (this.#onStart = resolve));
    process.title = `postfork: zygote ${this.#settings.title}`;
    this.#log = this.#program.log(this.#settings.program);
    try {
      this.#socket.unref(); // what loads is all that may keep this process
      await this.#program.load(this.#settings.program);
      this.#socket.ref();
      const loader = this.#loaderThread();
      if (loader !== undefined) {
        this.#log.warn(
          { loader },
          'module.register: a later import() hangs in forked workers; use registerHooks, or spawn',
        );
      }
      collectGarbage();
      this.#random.rehearse(); // behind the collection, which throws compiled code away
      this.#loaded = true;
      this.#channel.send({ type: 'ready' });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The application does not load, or has failed in the zygote, whose state nobody knows then. */
  #failed(error: unknown): never {
    this.#channel.send({ type: 'failed', message: messageOf(error, this.#program) });
    if (this.#loaded) this.#log.error({ err: error }, 'the application failed in the zygote');
    process.exit(1);
  }

  #onOrder(line: string): void {
    const order = parseOrder(line);
    if (order.type === 'start') this.#onStart?.(order.settings as WorkerSettings);
    else if (order.type === 'fork') this.#orders = this.#orders.then(() => this.#prepare(order.id));
  }

  /** What must be done before the fork, and may take time. */
  async #prepare(id: number): Promise<void> {
    await before_fork.notify(undefined, { pid: process.pid });
    await this.#quiet();
    const refused = this.#guard();
    const descriptors = this.#native.receiveDescriptors(DESCRIPTORS_SLOT); // behind the guard: they are not the application's
    if (refused !== undefined) {
      for (const fd of descriptors) closeSync(fd);
      this.#channel.send({ type: 'refused', id, message: refused });
      return;
    }
    // From a turn of the event loop of its own: what is behind an `await` would run in both processes.
    await new Promise<void>((resolve) => setImmediate(() => this.#fork(id, descriptors, resolve)));
  }

  #fork(id: number, descriptors: readonly number[], done: () => void): void {
    const [channel, stdout, stderr, connections] = descriptors as [number, number, number, number];
    let pid: number;
    try {
      pid = this.#native.fork(channel, stdout, stderr);
    } catch (error) {
      for (const fd of descriptors) closeSync(fd);
      this.#channel.send({ type: 'refused', id, message: messageOf(error) });
      done();
      return;
    }
    this.#forks++;
    if (pid === 0) {
      this.#becomeWorker(channel, connections);
      return; // without `done`: this object has nothing more to do here
    }
    for (const fd of descriptors) closeSync(fd);
    this.#workers.add(pid);
    this.#channel.send({ type: 'forked', id, pid });
    void this.#tellForked(done);
  }

  async #tellForked(done: () => void): Promise<void> {
    await after_fork.notify(undefined, { pid: process.pid, inWorker: false });
    done();
  }

  /** In the worker. Nothing of the application runs before it is a process of its own. */
  #becomeWorker(channel: number, connections: number): void {
    process.off('SIGCHLD', this.#reap);
    for (const signal of SIGNALS) process.off(signal, this.#ignore);
    for (const event of ERRORS) process.off(event, this.#fail);
    this.#sockets.stop();
    this.#channel.close();
    closeSync(DESCRIPTORS_SLOT);
    becomeForkedProcess(this.#native, this.#random, { title: `postfork: worker ${this.#settings.title}` });
    const life = new WorkerLife(
      this.#program,
      new Socket({ fd: channel }),
      () => new DescriptorPipe(this.#native, connections),
    );
    const serve = async (): Promise<void> => {
      await after_fork.notify(undefined, { pid: process.pid, inWorker: true });
      await life.serve({ ...this.#settings, first: this.#forks === 1 });
    };
    serve().catch((error: unknown) => life.fail(error));
  }

  /** Connections that the application has open: each is told once. What to say where the fork is not to be. */
  #guard(): string | undefined {
    const { forkGuard } = this.#settings;
    if (forkGuard === 'off') return undefined;
    const open = this.#sockets.connected();
    if (forkGuard === 'refuse') return open.length > 0 ? guardMessage(open) : undefined;
    const fresh = open.filter(({ fd, peer }) => !this.#warned.has(`${fd} ${peer}`));
    for (const { fd, peer } of fresh) this.#warned.add(`${fd} ${peer}`);
    if (fresh.length > 0) this.#log.warn({ peers: fresh.map(({ peer }) => peer) }, guardMessage(fresh));
    return undefined;
  }

  /** What is in flight now would never end in the worker, and a promise of it would hang there. */
  async #quiet(): Promise<void> {
    const until = performance.now() + QUIET_WITHIN;
    while (unfinishedWork().length > 0 && performance.now() < until) await delay(LOOK);
    const work = unfinishedWork();
    if (work.length > 0) {
      this.#log.warn({ work }, 'the application has work in flight, which its workers will never see the end of');
    }
  }

  #reapWorkers(): void {
    for (const pid of this.#workers) {
      const exit = this.#native.wait(pid);
      if (exit === undefined) continue;
      this.#workers.delete(pid);
      this.#channel.send({ type: 'exited', pid, ...exit });
    }
  }
}
