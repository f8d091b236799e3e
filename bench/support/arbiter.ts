// Starts, reloads and stops `postfork serve` with workers, and reads in its log when they were ready.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { askControl } from '../../lib/daemon/index.ts';
import { cpuOf, family, machineCpu } from './processes.ts';
import type { Session } from './session.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const LEAVE = 15_000; // ms
const PATIENCE = 180_000; // ms

/** How the workers are made: `flags` is spawn with the engine flags of a zygote. */
export type Way = 'spawn' | 'flags' | 'fork';

// As lib/prefork/arbiter/zygote-source.ts has them. Node's own options go on to the workers.
const ZYGOTE_FLAGS = ['--v8-pool-size=0', '--single-threaded'];

/** How long it took to have workers, from the command or from the order to reload. */
export interface Boot {
  /** Milliseconds until the first worker was ready, and the last. */
  first: number;
  last: number;
  /** CPU time in ms of all processes there were, and of everybody else on the machine. */
  cpu: number;
  others: number;
}

export interface RunningArbiter {
  readonly pid: number;
  readonly socket: string;
  readonly boot: Boot;
  /** The workers that serve, by pid, and how many requests each has had. */
  workers(): Promise<Map<number, number>>;
  /** Resolves when the new workers are ready and the old ones are gone. */
  reload(): Promise<Boot>;
  stop(): Promise<void>;
}

interface Line {
  time: number;
  msg: string;
}

let started = 0;

/** Resolves when it serves. Rejects with what it said where it does not. */
export async function startArbiter(
  file: string,
  way: Way,
  workers: number,
  { folder, signal }: Session,
): Promise<RunningArbiter> {
  started += 1;
  const socket = join(folder, `${started}.sock`);
  const control = join(folder, `${started}.control`);
  const method = way === 'fork' ? 'fork' : 'spawn';
  const nodeFlags = way === 'flags' ? ZYGOTE_FLAGS : [];
  const options = [
    '--listen',
    `unix:${socket}`,
    '--control',
    control,
    '--method',
    method,
    '--workers',
    String(workers),
  ];
  const clock = startClock();
  const child = spawn(process.execPath, [...nodeFlags, CLI, 'serve', file, ...options], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  });
  const log = new Log(child, signal);
  const pid = child.pid as number;
  const stop = (): Promise<void> => stopAll(child);
  try {
    const serving = await log.find(({ msg }) => msg.startsWith('serving '));
    const boot = clock(log.ready.splice(0), serving.time, pid);
    if (family(pid).length !== 1 + workers + Number(way === 'fork'))
      throw new Error('not the processes that were expected');
    return {
      pid,
      socket,
      boot,
      stop,
      async workers() {
        const status = (await askControl(control)) as { workers: { pid: number; state: string; requests: number }[] };
        return new Map(
          status.workers.filter(({ state }) => state === 'ready').map(({ pid: one, requests }) => [one, requests]),
        );
      },
      async reload() {
        const watch = startClock(pid);
        let gone = 0;
        const reloaded = log.find(({ msg }) => /^(not )?reloaded/.test(msg));
        const left = log.find(({ msg }) => msg.startsWith('a worker is gone') && ++gone === workers);
        process.kill(pid, 'SIGHUP');
        const { msg, time } = await reloaded;
        if (msg !== 'reloaded') throw new Error(log.said);
        const result = watch(log.ready, time, pid);
        log.ready.length = 0;
        await left;
        return result;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Begins now; called at the end, it counts. `running`: an arbiter that has processes already, which do not count. */
function startClock(running?: number): (ready: readonly number[], end: number, pid: number) => Boot {
  const from = Date.now(); // as the log's times
  const machine = machineCpu();
  const before = new Set(running === undefined ? [] : family(running));
  const arbiter = running === undefined ? 0 : cpuOf([running]);
  return (ready, end, pid) => {
    const fresh = family(pid).filter((one) => one === pid || !before.has(one));
    const cpu = cpuOf(fresh) - arbiter;
    const others = Math.max(0, machineCpu() - machine - cpu);
    return { first: (ready[0] ?? NaN) - from, last: end - from, cpu, others };
  };
}

/** The arbiter's log, a JSON object a line. */
class Log {
  /** When workers became ready, ms since the epoch. */
  readonly ready: number[] = [];
  readonly #waiting: Set<{
    test: (line: Line) => boolean;
    resolve: (line: Line) => void;
    reject: (error: Error) => void;
  }> = new Set();
  /** The end of it. */
  said = '';

  constructor(child: ChildProcess, signal: AbortSignal) {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (text) => this.#onLine(text));
    const fail = (why: string): void => {
      for (const { reject } of this.#waiting) reject(new Error(`${why}\n${this.said}`));
      this.#waiting.clear();
    };
    const interrupt = (): void => fail('interrupted');
    signal.addEventListener('abort', interrupt);
    child.once('close', () => {
      signal.removeEventListener('abort', interrupt);
      fail('the arbiter ended:');
    });
    child.once('error', (error) => fail(error.message));
  }

  /** The next line for which `test` is true. */
  find(test: (line: Line) => boolean): Promise<Line> {
    const found = new Promise<Line>((resolve, reject) => {
      this.#waiting.add({ test, resolve, reject });
      setTimeout(() => reject(new Error(`not in the log after ${PATIENCE} ms:\n${this.said}`)), PATIENCE).unref();
    });
    found.catch(() => {}); // whoever waits for another line first hears it there
    return found;
  }

  #onLine(text: string): void {
    this.said = `${this.said}${text}\n`.slice(-4000);
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as Line;
    if (line.msg.startsWith('a worker is ready')) this.ready.push(line.time);
    for (const one of this.#waiting) {
      if (!one.test(line)) continue;
      this.#waiting.delete(one);
      one.resolve(line);
    }
  }
}

/** Told to stop, and killed with its whole family where it does not. */
async function stopAll(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const members = family(child.pid);
  const running = child.exitCode === null && child.signalCode === null;
  const closed = running ? once(child, 'exit') : Promise.resolve();
  child.kill('SIGINT');
  const patience = new AbortController();
  const late = pause(LEAVE, true, { signal: patience.signal }).catch(() => false);
  if ((await Promise.race([closed, late])) === true) for (const pid of members.reverse()) killQuietly(pid);
  patience.abort();
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone, as it should be
  }
}
