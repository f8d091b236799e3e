// ZygoteProcess: the arbiter's side of one zygote, a process that has loaded the application and forks on order.

import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { Channel } from '../channel.ts';
import { DescriptorPipe } from '../descriptor-pipe.ts';
import { parseZygoteMessage } from '../messages.ts';
import type { Native } from '../native.ts';
import { DESCRIPTORS_SLOT } from '../slots.ts';
import type { Exit, WorkerProcess } from './worker-source.ts';

export interface ZygoteProcessEvents {
  /** It runs. Its output is what the application says while it loads. */
  onStarted(pid: number, stdout: Readable, stderr: Readable): void;
}

interface Pipes {
  pid: number;
  channel: Socket;
  stdout: Readable;
  stderr: Readable;
  exited: Promise<Exit>;
}

interface Pending {
  /** At once, not in a later turn: the worker's end may be told in the next line. */
  resolve(pid: number): void;
  reject(error: Error): void;
}

/** A worker whose end somebody waits for. */
interface Forked {
  channel: Socket;
  ended(exit: Exit): void;
}

const LOADING = 0; // the id of what waits for the application to be loaded; forks count from 1

export class ZygoteProcess {
  readonly pid: number;
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #native: Native;
  readonly #timeout: number;
  readonly #channel: Channel;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #workers: Map<number, Forked> = new Map(); // by pid
  #orders = LOADING;
  #gone: string | undefined;

  constructor(child: ChildProcess, pipes: Pipes, native: Native, timeout: number, events: ZygoteProcessEvents) {
    this.#child = child;
    this.#native = native;
    this.#timeout = timeout;
    this.#channel = new Channel(pipes.channel, {
      onLine: (line) => this.#onLine(line),
      onEnd: () => this.#child.kill('SIGKILL'), // one that cannot be talked to is of no use
    });
    this.#descriptors.on('error', () => {}); // its end shows on the channel
    this.pid = pipes.pid;
    this.exited = pipes.exited.then((exit) => {
      this.#onExit(exit);
      return exit;
    });
    events.onStarted(pipes.pid, pipes.stdout, pipes.stderr);
  }

  /** Have it load the application. Rejects with why it could not. */
  async load(settings: unknown): Promise<void> {
    this.#channel.send({ type: 'start', settings });
    await this.#answer(LOADING, 'the application was not loaded in time', () => undefined);
  }

  async fork(): Promise<WorkerProcess> {
    if (this.#gone !== undefined) throw new Error(this.#gone);
    const id = ++this.#orders;
    const pairs = this.#socketPairs(4);
    const [channel, stdout, stderr, connections] = pairs.map(([ours]) => ours) as [number, number, number, number];
    const sockets = [channel, stdout, stderr].map((fd) => new Socket({ fd }));
    const pipe = new DescriptorPipe(this.#native, connections);
    const theirs = pairs.map(([, end]) => end);
    try {
      this.#native.sendDescriptors(descriptorOf(this.#descriptors), theirs);
      this.#channel.send({ type: 'fork', id });
      const worker = (pid: number): WorkerProcess => this.#worker(pid, sockets as [Socket, Socket, Socket], pipe);
      return await this.#answer(id, 'the zygote did not fork in time', worker);
    } catch (error) {
      for (const socket of sockets) socket.destroy();
      pipe.close();
      throw error;
    } finally {
      for (const end of theirs) closeSync(end);
    }
  }

  /** End it. Its workers are not touched. */
  async close(): Promise<void> {
    this.#channel.close();
    this.#child.kill('SIGKILL'); // it serves nothing and holds nothing that must be put in order
    await this.exited;
  }

  /** All of them, or none where the process may not open so many. */
  #socketPairs(count: number): [number, number][] {
    const pairs: [number, number][] = [];
    try {
      while (pairs.length < count) pairs.push(this.#native.socketpair());
      return pairs;
    } catch (error) {
      for (const end of pairs.flat()) closeSync(end);
      throw error;
    }
  }

  get #descriptors(): Socket {
    return (this.#child.stdio as unknown[])[DESCRIPTORS_SLOT] as Socket;
  }

  #worker(
    pid: number,
    [channel, stdout, stderr]: [Socket, Socket, Socket],
    descriptors: DescriptorPipe,
  ): WorkerProcess {
    let running = true;
    const exited = new Promise<Exit>((resolve) => {
      this.#workers.set(pid, { channel, ended: resolve });
      channel.once('close', () => this.#checkLost());
    }).finally(() => {
      running = false;
      this.#workers.delete(pid);
    });
    const kill = (signal: NodeJS.Signals): void => {
      if (running) killQuietly(pid, signal);
    };
    return { pid, channel, stdout, stderr, descriptors, exited, inspectable: false, kill };
  }

  #answer<T>(id: number, late: string, answer: (pid: number) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        settle(() => reject(new Error(late)));
        this.#child.kill('SIGKILL'); // it hangs, as a receiver of before_fork may; another one is started
      }, this.#timeout);
      const settle = (how: () => void): void => {
        clearTimeout(timer);
        this.#pending.delete(id);
        how();
      };
      this.#pending.set(id, {
        resolve: (pid) => settle(() => resolve(answer(pid))),
        reject: (error) => settle(() => reject(error)),
      });
    });
  }

  #onLine(line: string): void {
    const message = parseZygoteMessage(line);
    switch (message?.type) {
      case 'ready':
        this.#pending.get(LOADING)?.resolve(0);
        break;
      case 'failed':
        this.#pending.get(LOADING)?.reject(new Error(message.message));
        break;
      case 'forked':
        this.#pending.get(message.id)?.resolve(message.pid);
        break;
      case 'refused':
        this.#pending.get(message.id)?.reject(new Error(message.message));
        break;
      case 'exited':
        this.#workers.get(message.pid)?.ended({ code: message.code, signal: message.signal });
        break;
      case undefined:
        break; // nothing that can be understood
    }
  }

  #onExit(exit: Exit): void {
    this.#gone = `the zygote ended (${exit.signal ?? `exit code ${exit.code}`})`;
    this.#channel.close();
    for (const waiting of this.#pending.values()) waiting.reject(new Error(this.#gone));
    this.#checkLost();
  }

  /** A worker's parent is the zygote: once that is gone, the end of the channel is all there is to see. */
  #checkLost(): void {
    if (this.#gone === undefined) return;
    for (const worker of this.#workers.values()) {
      if (worker.channel.destroyed) worker.ended({ code: null, signal: null });
    }
  }
}

/** The number of a socket's descriptor, which Node keeps in its handle. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { _handle: { fd: number } | null })._handle;
  if (handle === null) throw new Error('the zygote is gone');
  return handle.fd;
}

function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended in this moment
  }
}
