// The addon of `--method fork`: fork(2), and the system calls that go with it. Its source is addon/postfork.c.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** How a child ended: one of both is null. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * The addon. Errors are Node's: `EAGAIN: resource temporarily unavailable, fork` with `code`. All but `fork()` may be called
 * in worker threads too.
 */
export interface Native {
  /**
   * fork(2). Returns the child's pid, and 0 in the child, where the event loop is made its own, `stdout` and `stderr` have
   * become its descriptors 1 and 2 (blocking) and no core file is written; `becomeForkedProcess` must come next there. All
   * three descriptors stay open in the parent, and `channel` in both. The process must run with `--v8-pool-size=0
   * --single-threaded`, and its own stdout must not be a terminal: libuv has opened that a second time. In the child on
   * Node 26, a worker thread with nothing left to do does not end by itself (V8 leaves tasks to a thread that is missing):
   * have it call `process.exit()`, or `terminate()` it before.
   * @throws Error EAGAIN, ENOMEM, ...; EBADF for a descriptor that is not open or below 3; EPERM in a worker thread.
   */
  fork(channel: number, stdout: number, stderr: number): number;
  /**
   * waitpid(2) without waiting: undefined while the child runs. Once it has told the end, the child is no more.
   * @throws Error ECHILD where there is no such child, EINVAL unless pid > 0.
   */
  wait(pid: number): ChildExit | undefined;
  /** getpid(2): in a forked child, `process.pid` is its parent's at first. */
  pid(): number;
  /** _exit(2): leave at once; no listener is called and no thread joined. */
  exit(code: number): never;
  /**
   * Keep the event loop running, and call back when nothing else does: with false, and where there is still nothing to do
   * after that, with true. Once in a process, in its main thread.
   * @throws Error EBUSY the second time.
   */
  onIdle(callback: (last: boolean) => void): void;
  /**
   * Send one datagram, as sd_notify(3) does, without waiting. A path that begins with `@` is abstract; it has at most 107
   * bytes, the text 4091.
   * @throws Error ENOENT, ECONNREFUSED, EAGAIN (the receiver's queue is full), ENAMETOOLONG, EMSGSIZE, ...
   */
  notify(path: string, text: string): void;
  /** socketpair(2): two connected unix stream sockets, closed on exec, non-blocking. @throws Error EMFILE, ... */
  socketpair(): [number, number];
  /**
   * Send 1 to 8 descriptors, with one byte, through a unix socket, without waiting (unix(7), SCM_RIGHTS). They stay open here.
   * @throws Error EAGAIN where the socket is full, EPIPE, EBADF, ...
   */
  sendDescriptors(socket: number, descriptors: readonly number[]): void;
  /**
   * Take what one `sendDescriptors` has sent, closed on exec; nothing where the other end is closed.
   * @throws Error EAGAIN where nothing has come, EMFILE where there was no room for all: then none is left open.
   */
  receiveDescriptors(socket: number): number[];
  /** How many requests libuv has under way in this thread, work of the thread pool among them. */
  requests(): number;
}

interface Addon extends Omit<Native, 'wait'> {
  wait(pid: number): { code?: number; signal?: number } | undefined;
}

const ADDON = '../../build/Release/postfork.node';
const BUILDER = '../../scripts/build-addon.mjs';
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

const signalName = (number: number): NodeJS.Signals =>
  (Object.entries(constants.signals).find(([, one]) => one === number)?.[0] ?? `SIG${number}`) as NodeJS.Signals;

/**
 * The addon.
 * @throws Error that says what to do where it is not Linux, the addon has not been built, or does not load.
 */
export function loadNative(): Native {
  if (process.platform !== 'linux') throw new Error('--method fork is for Linux: use --method spawn');
  let addon: Addon;
  try {
    addon = createRequire(import.meta.url)(ADDON) as Addon;
  } catch (cause) {
    const what = existsSync(path(ADDON)) ? 'does not load' : 'has not been built';
    throw new Error(
      `--method fork needs an addon that ${what}: apt-get install gcc libc6-dev, then npm rebuild postfork`,
      { cause },
    );
  }
  return {
    ...addon,
    wait(pid) {
      const exit = addon.wait(pid);
      if (exit === undefined) return undefined;
      return { code: exit.code ?? null, signal: exit.signal === undefined ? null : signalName(exit.signal) };
    },
  };
}

/** The addon where there is one: what it is good for besides forking is done without it or not at all. */
export function findNative(): Native | undefined {
  try {
    return loadNative();
  } catch {
    return undefined;
  }
}

/**
 * Build the addon where it is missing: not every package manager runs install scripts. Takes about a second.
 * @throws Error with what the compiler said, or what to install.
 */
export async function buildNative(): Promise<void> {
  if (existsSync(path(ADDON))) return;
  await new Promise<void>((resolve, reject) => {
    execFile(process.execPath, [path(BUILDER)], (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(stderr.trim() || error.message, { cause: error }));
    });
  });
}
