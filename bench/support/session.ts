// A benchmark's session: a temporary folder, and an end that cleans up whether it is reached, fails or is interrupted.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Session {
  /** For sockets; removed at the end. */
  readonly folder: string;
  /** Aborted by Ctrl-C (SIGINT) or SIGTERM. */
  readonly signal: AbortSignal;
}

/** Run a benchmark; what it resolves to is the process's exit code, 1 after an error and 130 after an interruption. */
export async function inSession(run: (session: Session) => Promise<number>): Promise<void> {
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  // Not `once`: a second Ctrl-C must not end the process while it cleans up.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, interrupt);
  const folder = await mkdtemp(join(tmpdir(), 'postfork-bench-'));
  try {
    process.exitCode = await run({ folder, signal: interruption.signal });
  } catch (error) {
    const { aborted } = interruption.signal;
    console.error(aborted ? 'interrupted' : error instanceof Error ? error.message : error);
    process.exitCode = aborted ? 130 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, interrupt);
  }
}

/** Progress, which is no result, goes to stderr. */
export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}
