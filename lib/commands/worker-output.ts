// What workers write to stdout and stderr, as lines of the arbiter's log.

import type { Readable } from 'node:stream';
import { WholeLines, type LogDestination } from '../daemon/index.ts';
import type { Log } from './log.ts';

export class WorkerOutput {
  readonly #log: Log;
  readonly #stdout: LogDestination | undefined;
  readonly #listeners: Map<number, Set<(line: string) => void>> = new Map();

  /** `stdout`: where lines of stdout go as they are, instead of into the log. */
  constructor(log: Log, stdout?: LogDestination) {
    this.#log = log;
    this.#stdout = stdout;
  }

  /** Read what a process writes, to its end. */
  add({ pid, stdout, stderr }: { pid: number; stdout: Readable; stderr: Readable }): void {
    this.#read(stdout, (line) => {
      if (this.#stdout !== undefined) this.#stdout.write(`${line}\n`);
      else this.#write(line, () => this.#log.info({ worker: pid, stream: 'stdout' }, line));
    });
    this.#read(stderr, (line) => {
      for (const listener of this.#listeners.get(pid) ?? []) listener(line);
      this.#write(line, () => this.#log.warn({ worker: pid, stream: 'stderr' }, line));
    });
  }

  /** Be told each line that a process writes to stderr from now on, until what is returned is called. */
  listen(pid: number, listener: (line: string) => void): () => void {
    const listeners = this.#listeners.get(pid) ?? new Set();
    this.#listeners.set(pid, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(pid);
    };
  }

  #read(stream: Readable, onLine: (line: string) => void): void {
    const lines = new WholeLines();
    const tell = (complete: readonly { text: string }[]): void => {
      for (const { text } of complete) if (text !== '') onLine(text);
    };
    stream.on('data', (chunk: Buffer) => tell(lines.push(chunk)));
    stream.on('end', () => tell(lines.end()));
    stream.on('error', () => tell(lines.end())); // it is gone
  }

  /** A line of a worker's own log is one of this log. */
  #write(line: string, wrap: () => void): void {
    if (isLogLine(line)) this.#log.destination.write(`${line}\n`);
    else wrap();
  }
}

/** As pino writes them. */
function isLogLine(line: string): boolean {
  if (!line.startsWith('{"level":')) return false;
  try {
    const { level, time } = JSON.parse(line) as { level?: unknown; time?: unknown };
    return typeof level === 'number' && typeof time === 'number';
  } catch {
    return false;
  }
}
