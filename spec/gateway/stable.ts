// Waits until a count that grows by itself has stopped growing: something holds it back.

import { setTimeout as delay } from 'node:timers/promises';

const SAME_FOR = 30; // looks
const LOOK = 10; // ms
const WITHIN = 10_000; // ms

/** Resolves with the count. Rejects where it grows for ever. */
export async function stable(count: () => number): Promise<number> {
  const deadline = Date.now() + WITHIN;
  let [last, same] = [count(), 0];
  while (same < SAME_FOR || last === 0) {
    if (Date.now() > deadline) throw new Error(`it does not stop: ${last}`);
    await delay(LOOK);
    const now = count();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}
