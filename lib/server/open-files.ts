// How many files this process may have open: libuv closes a connection beyond that without telling anybody.

import { readFileSync } from 'node:fs';

const RESERVED = 64; // for Node itself, logs, temporary files, database connections

/** Connections that leave some descriptors for the rest; Infinity where the system does not tell (only Linux does). */
export function connectionsPossible(): number {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return Infinity;
  }
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? [];
  return soft === undefined ? Infinity : Math.max(1, Number(soft) - RESERVED);
}
