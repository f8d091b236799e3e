// What a worker writes, for a person: its lines as they are, in its colours on a terminal, those of its log as messages with stacks.

import type { Readable } from 'node:stream';
import { printable, WholeLines, withoutColors } from '../daemon/index.ts';
import { showsColors } from './colors.ts';

const MAX_RECENT = 50; // lines

export class DevOutput {
  /** The last lines of stderr, of all processes; whoever wants those from some time on empties it then. */
  readonly recent: string[] = [];
  readonly #listeners: Map<number, Set<(line: string) => void>> = new Map();

  /** Show what a process writes, to its end. */
  add({ pid, stdout, stderr }: { pid: number; stdout: Readable; stderr: Readable }): void {
    read(stdout, (line) => show(process.stdout, line));
    read(stderr, (line) => {
      for (const listener of this.#listeners.get(pid) ?? []) listener(line);
      const text = logText(line) ?? line;
      this.recent.push(withoutColors(text));
      if (this.recent.length > MAX_RECENT) this.recent.shift();
      show(process.stderr, text);
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

function show(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${showsColors(stream) ? text : withoutColors(text)}\n`);
}

function read(stream: Readable, onLine: (line: string) => void): void {
  const lines = new WholeLines({ colors: true });
  stream.on('data', (chunk: Buffer) => lines.push(chunk).forEach(({ text }) => onLine(text)));
  stream.on('end', () => lines.end().forEach(({ text }) => onLine(text)));
  stream.on('error', () => {}); // it is gone
}

/** The message and the stack of a line of pino's; undefined for any other line. */
function logText(line: string): string | undefined {
  if (!line.startsWith('{"level":')) return undefined;
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { stack?: string; message?: string } };
    const text = [msg, err?.stack ?? err?.message].filter((part) => part !== undefined).join(': ');
    const lines = text.split('\n').map((part) => printable(part, true)); // JSON has hidden what is in it
    return lines.join('\n');
  } catch {
    return undefined;
  }
}
