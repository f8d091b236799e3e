// Journal: what the processes of a deployment do with their connections, a line each, in one file for all of them.

import { appendFileSync } from 'node:fs';

/** `import`: this process loads the site. `serve`, `leave`: it takes requests from now on, or no more. The others are TimelineEvent's. */
export type JournalEvent =
  | 'import'
  | 'fork'
  | 'serve'
  | 'leave'
  | 'begin'
  | 'end'
  | 'open'
  | 'query'
  | 'close'
  | 'discard'
  | 'error'
  | 'foreign';

export interface JournalLine {
  /** ms since 1970, with fractions: the same clock for all processes. */
  readonly at: number;
  readonly pid: number;
  readonly event: JournalEvent;
  /** `PID-n`: the process that opened it, and how many it had opened. */
  readonly connection?: string;
  /** The port of its socket, by which servers tell it in their logs. */
  readonly port?: number;
  /** PostgreSQL's process, where that is known instead. */
  readonly backend?: number;
  readonly request?: number;
  readonly error?: string; // class and message
}

export class Journal {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Written before it returns, in one write(2) that appends: lines of several processes do not mix. */
  note(event: JournalEvent, fields: Omit<JournalLine, 'at' | 'pid' | 'event'> = {}): void {
    const at = performance.timeOrigin + performance.now();
    const line: JournalLine = { at, pid: process.pid, event, ...fields };
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
  }
}
