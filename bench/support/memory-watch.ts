// The memory of another process, from /proc (Linux).

import { readFileSync, writeFileSync } from 'node:fs';

const EVERY = 20; // ms

/** Bytes. */
export interface Memory {
  /** VmRSS: what it has now. */
  rss: number;
  /** VmHWM: the most it had since the mark was last reset; the kernel's own account misses no moment. */
  highWater: number;
}

export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { rss: field('VmRSS'), highWater: field('VmHWM') };
}

/** Make the mark the present RSS: what its start took is not the matter. proc(5), clear_refs, value 5. */
export function resetHighWater(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Watch until `stop`, which returns the highest RSS that was seen, in bytes. A process that has died ends it. */
export function watchMemory(pid: number): { stop(): number } {
  let highest = 0;
  const look = (): void => {
    try {
      highest = Math.max(highest, memoryOf(pid).rss);
    } catch {
      clearInterval(timer); // whoever waits for its answers finds out
    }
  };
  const timer = setInterval(look, EVERY);
  return {
    stop() {
      look();
      clearInterval(timer);
      return highest;
    },
  };
}
