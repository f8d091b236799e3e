// What a worker writes, for a person: its lines as they are, those of its log as messages with stacks.

import type { Readable } from 'node:stream';
import { WholeLines } from '../daemon/index.ts';

const MAX_RECENT = 50; // lines

export class DevOutput {
  /** The last lines of stderr, of all processes; whoever wants those from some time on empties it then. */
  readonly recent: string[] = [];
  readonly #listeners: Map<number, Set<(line: string) => void>> = new Map();

  /** Show what a process writes, to its end. */
  add({ pid, stdout, stderr }: { pid: number; stdout: Readable; stderr: Readable }): void {
    read(stdout, (line) => process.stdout.write(`${line}\n`));
    read(stderr, (line) => {
      for (const listener of this.#listeners.get(pid) ?? []) listener(line);
      const text = logText(line) ?? line;
      this.recent.push(text);
      if (this.recent.length > MAX_RECENT) this.recent.shift();
      process.stderr.write(`${text}\n`);
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
}

function read(stream: Readable, onLine: (line: string) => void): void {
  const lines = new WholeLines();
  stream.on('data', (chunk: Buffer) => lines.push(chunk).forEach(({ text }) => onLine(text)));
  stream.on('end', () => lines.end().forEach(({ text }) => onLine(text)));
  stream.on('error', () => {}); // it is gone
}

/** The message and the stack of a line of pino's; undefined for any other line. */
function logText(line: string): string | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { stack?: string; message?: string } };
    return [msg, err?.stack ?? err?.message].filter((part) => part !== undefined).join(': ');
  } catch {
    return undefined;
  }
}
