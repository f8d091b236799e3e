// A daemon: the same command once more, in a session of its own, which says when it serves; only then does the first one leave.

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { DESCRIPTOR, STDERR, VARIABLE, type Message } from './daemon-launcher.ts';

const DEFAULT_TIMEOUT = 120_000; // ms
const STOPS_WITHIN = 10_000; // ms
const MAX_MESSAGE = 64 * 1024; // bytes
const LAST_LINES = 20;
const LAST_WORDS_WITHIN = 500; // ms
const LOG_MODE = 0o640;
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface DaemonOptions {
  /** Arguments of node: the command's file and its own arguments. Default: those of this process. */
  argv?: readonly string[];
  /** Default: process.env. */
  environ?: NodeJS.ProcessEnv;
  /** Default: this process's. */
  cwd?: string;
  /** File that the daemon's stdout is appended to. Default: /dev/null. */
  outlog?: string;
  /** File that the daemon's stderr is appended to. Default: /dev/null, from the moment that it serves. */
  errlog?: string;
  /** ms for the daemon to say that it serves. Default: 120000. */
  timeout?: number;
}

/** Why there is no daemon. */
export class DaemonError extends Error {
  override readonly name: string = 'DaemonError';
  /** What the launching process is to exit with: the daemon's code, or 128 and the number of the OS signal that ended it. */
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

type Outcome = Message | { ended: number } | { interrupted: NodeJS.Signals } | { late: true };

/**
 * Launch a daemon and leave: exit code 0 when it serves; otherwise its message or its last lines on stderr, and its exit code.
 */
export async function daemonize(options: DaemonOptions = {}): Promise<never> {
  try {
    await startDaemon(options);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(error instanceof DaemonError ? error.exitCode : 1);
  }
  process.exit(0);
}

/**
 * Start the same command detached (setsid(2)), with stdin from /dev/null, and wait until it says that it serves. Node cannot
 * fork(2), so this is a new process rather than a copy. Rejects with DaemonError where it says that it failed, ends without a
 * word, or takes longer than the timeout; and where this process is interrupted (INT, TERM, HUP, QUIT), which ends the daemon too.
 */
export async function startDaemon(options: DaemonOptions = {}): Promise<{ pid: number }> {
  const { child, lastLines } = launch(options);
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  const pipe = child.stdio[DESCRIPTOR] as Readable;
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`the daemon cannot be started: ${cause.message}`, { cause })));
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  });
  try {
    const outcome = await firstOutcome(pipe, exited, timeout);
    if ('ready' in outcome) return { pid: child.pid as number };
    if ('interrupted' in outcome || 'late' in outcome) child.kill('SIGTERM');
    const code = await endOf(child, exited);
    if ('failed' in outcome) throw new DaemonError(outcome.failed, outcome.exitCode);
    if ('interrupted' in outcome) {
      const number = constants.signals[outcome.interrupted];
      throw new DaemonError(`interrupted by ${outcome.interrupted}; the daemon was ended`, 128 + number);
    }
    const why =
      'late' in outcome ? `the daemon did not serve within ${timeout} ms` : 'the daemon ended before it served';
    throw new DaemonError(`${why} (exit code ${code})${await lastLines()}`, code || 1);
  } finally {
    pipe.destroy();
    child.stderr?.destroy();
    child.unref();
  }
}

/** The process, and how to have its last lines once it has ended. */
function launch(options: DaemonOptions): { child: ChildProcess; lastLines: () => Promise<string> } {
  const { argv = process.argv.slice(1), environ = process.env, cwd, outlog, errlog } = options;
  const opened: number[] = [];
  const append = (file: string): number => {
    const descriptor = openSync(file, 'a', LOG_MODE);
    opened.push(descriptor);
    return descriptor;
  };
  try {
    const outTo = outlog === undefined ? 'ignore' : append(outlog);
    const errTo = errlog === undefined ? 'pipe' : append(errlog);
    const before = errTo === 'pipe' ? 0 : fstatSync(errTo).size;
    const child = spawn(process.execPath, [...process.execArgv, ...argv], {
      cwd,
      detached: true,
      env: { ...environ, [VARIABLE]: errTo === 'pipe' ? `${DESCRIPTOR},${STDERR}` : `${DESCRIPTOR}` },
      stdio: ['ignore', outTo, errTo, 'pipe'],
    });
    const lastLines = errlog === undefined ? tailOfStream(child.stderr as Readable) : () => tailOfFile(errlog, before);
    return { child, lastLines };
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

/** What happens first: the daemon's word, its end, our own interruption, or nothing for too long. */
async function firstOutcome(pipe: Readable, exited: Promise<number>, timeout: number): Promise<Outcome> {
  const said = readMessage(pipe);
  const cleanUp: (() => void)[] = [];
  const interrupted = new Promise<Outcome>((resolve) => {
    for (const signal of INTERRUPTS) {
      const onSignal = (): void => resolve({ interrupted: signal });
      process.on(signal, onSignal);
      cleanUp.push(() => process.off(signal, onSignal));
    }
  });
  const late = new Promise<Outcome>((resolve) => {
    const timer = setTimeout(() => resolve({ late: true }), timeout);
    cleanUp.push(() => clearTimeout(timer));
  });
  // what it has said just before its end is still in the pipe, which something that it started may hold open
  const ended = exited.then(async (code) => (await within(said, LAST_WORDS_WITHIN)) ?? { ended: code });
  const word = said.then((message) => message ?? ended);
  try {
    return await Promise.race([word, ended, interrupted, late]);
  } finally {
    for (const clean of cleanUp) clean();
  }
}

/** Resolves to its exit code; after a bounded time it is killed, with all of its group. */
async function endOf(child: ChildProcess, exited: Promise<number>): Promise<number> {
  const force = setTimeout(() => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // it has just ended
    }
  }, STOPS_WITHIN);
  const code = await exited;
  clearTimeout(force);
  return code;
}

/** Resolves to undefined at the end of the pipe. */
function readMessage(pipe: Readable): Promise<Message | undefined> {
  return new Promise((resolve) => {
    let text = '';
    pipe.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
      const end = text.indexOf('\n');
      if (end !== -1) resolve(decode(text.slice(0, end)));
      else if (text.length > MAX_MESSAGE) resolve(undefined);
    });
    pipe.once('close', () => resolve(undefined));
    pipe.once('error', () => resolve(undefined));
  });
}

function decode(line: string): Message | undefined {
  try {
    const { ready, failed, exitCode } = JSON.parse(line) as Record<string, unknown>;
    if (ready === true) return { ready };
    if (typeof failed === 'string') return { failed, exitCode: typeof exitCode === 'number' ? exitCode : 1 };
  } catch {
    // not ours
  }
  return undefined;
}

/** Reads along from now on, so that the daemon is never held up. */
function tailOfStream(stream: Readable): () => Promise<string> {
  let tail = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    tail = (tail + piece).slice(-MAX_MESSAGE);
  });
  stream.on('error', () => {});
  const closed = new Promise<true>((resolve) => {
    stream.once('close', () => resolve(true));
  });
  return async () => {
    await within(closed, LAST_WORDS_WITHIN);
    return lastLinesOf(tail);
  };
}

async function tailOfFile(file: string, before: number): Promise<string> {
  const descriptor = openSync(file, 'r');
  try {
    const from = Math.max(before, fstatSync(descriptor).size - MAX_MESSAGE);
    const bytes = Buffer.alloc(MAX_MESSAGE);
    return lastLinesOf(bytes.toString('utf8', 0, readSync(descriptor, bytes, 0, bytes.length, from)));
  } finally {
    closeSync(descriptor);
  }
}

function lastLinesOf(text: string): string {
  const lines = text.trimEnd().split('\n').slice(-LAST_LINES);
  return lines.join('') === '' ? '' : `; its last lines:\n${lines.join('\n')}`;
}

async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
