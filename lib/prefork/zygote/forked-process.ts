// What a forked child does first: becomes a process of its own, whose every way out is _exit(2).

import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import { loadNative, type Native } from '../native.ts';
import type { ForkSafeRandom } from './randomness.ts';

export interface ForkedProcessOptions {
  /** What ps(1) shows. */
  readonly title: string;
}

/** What Node has no types for: it finds these on `process` at each use, so that they can be replaced. */
interface ProcessInternals {
  emit: (this: unknown, name: string | symbol, ...args: unknown[]) => boolean;
  reallyExit: (code?: unknown) => never;
  /** Called for each error that nobody catches. Returns whether a listener took it, and throws what a listener threw. */
  _fatalException: (error: unknown, fromPromise: boolean) => boolean;
}

const UNCAUGHT = 1; // Node's exit codes
const LISTENER_THREW = 7;

/** Work that ends in the zygote only, of `process.getActiveResourcesInfo()`. */
const UNFINISHED: ReadonlySet<string> = new Set([
  'FSReqCallback',
  'FSReqPromise',
  'FileHandleCloseReq',
  'GetAddrInfoReqWrap',
  'GetNameInfoReqWrap',
]);

/** What else of it is a request to libuv: of sockets, which a child has too. */
const OF_SOCKETS: ReadonlySet<string> = new Set([
  'WriteWrap',
  'ShutdownWrap',
  'TCPConnectWrap',
  'PipeConnectWrap',
  'SendWrap',
]);

/**
 * Call it in the child right after `native.fork()`, before anything else runs: it sets the pid, the title and the randomness
 * right, and leads every way out to `_exit`. Node's own end joins threads that a fork
 * does not copy, and hangs or aborts. Listeners ('beforeExit', 'exit', 'uncaughtException', ...) are called as always, with
 * Node's exit codes.
 */
export function becomeForkedProcess(native: Native, random: ForkSafeRandom, { title }: ForkedProcessOptions): void {
  Object.defineProperty(process, 'pid', { value: native.pid(), enumerable: true, configurable: true });
  process.title = title;
  random.reseed();
  const internals = process as unknown as ProcessInternals;
  leaveByExit(native, internals);
}

/**
 * Asynchronous work that is under way in this process, and whose end a child forked now would never see: a promise of it
 * hangs there for ever. Names as `process.getActiveResourcesInfo()` has them, and `ThreadPool` for what it does not tell:
 * zlib, crypto. Sockets and timers go on in a child, and are not listed.
 */
export function unfinishedWork(): string[] {
  const active = process.getActiveResourcesInfo();
  const unfinished = active.filter((name) => UNFINISHED.has(name));
  const told = unfinished.length + active.filter((name) => OF_SOCKETS.has(name)).length;
  const untold = Math.max(0, loadNative().requests() - told);
  return [...unfinished, ...Array<string>(untold).fill('ThreadPool')];
}

function leaveByExit(native: Native, internals: ProcessInternals): void {
  const leave = (code: unknown): never => native.exit(Number(code ?? 0));
  internals.reallyExit = leave;

  const { _fatalException: handle } = internals;
  internals._fatalException = (error, fromPromise) => {
    try {
      if (handle(error, fromPromise)) return true;
    } catch (thrown) {
      complain(thrown);
      return leave(LISTENER_THREW);
    }
    complain(error);
    return leave(process.exitCode ?? UNCAUGHT);
  };

  // Node's own end of an empty loop would wait for V8's threads even before 'beforeExit'.
  native.onIdle((last) => {
    if (!last) {
      internals.emit('beforeExit', process.exitCode ?? 0);
      return;
    }
    try {
      process.exit();
    } catch (error) {
      internals._fatalException(error, false); // of an 'exit' listener
      leave(process.exitCode);
    }
  });
}

/** As Node writes it, without the line of source. */
function complain(error: unknown): void {
  let text: string;
  try {
    text = inspect(error, { customInspect: false, depth: 5 });
  } catch {
    text = 'an error that cannot be shown';
  }
  try {
    writeSync(2, `${error instanceof Error ? '' : 'Uncaught:\n'}${text}\n\nNode.js ${process.version}\n`);
  } catch {
    // nobody reads it
  }
}
