// Randomness that a fork does not copy: Math.random, and what node:crypto has drawn in advance.

import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** What `installForkSafeRandom` returns. */
export interface ForkSafeRandom {
  /** In a forked child, before any code of the application: no value that comes will be another process's as well. */
  reseed(): void;
  /** In the zygote, once: V8 compiles what `reseed` needs, which each child would do anew: 10 ms of the 20 that a fork took. */
  rehearse(): void;
}

// Node draws ahead: 128 UUIDs and 1024 integers (lib/internal/crypto/random.js of Node 20 to 26). More are taken, for safety.
const DRAWN_AHEAD = 2048;
const REHEARSALS = 5; // until V8 has the optimized code

/**
 * Replace `Math.random`, in the zygote, before the application is loaded, so that references which its modules keep are
 * right too. V8 keeps the state of its own where no child could change it. The new one is xoshiro128** (Blackman and Vigna,
 * prng.di.unimi.it), 53 bits for each value, seeded by node:crypto.
 *
 * Not reached: `Math.random` of other `vm` contexts, and what the application has drawn itself while it was loading, such
 * as the pools of packages that make ids.
 */
export function installForkSafeRandom(): ForkSafeRandom {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;

  function seed(): void {
    const bytes = randomBytes(16); // OpenSSL's own generator sees that it is in another process
    a = bytes.readInt32LE(0);
    b = bytes.readInt32LE(4);
    c = bytes.readInt32LE(8);
    d = bytes.readInt32LE(12) | 1; // the state must not be all zero
  }

  function next(): number {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result;
  }

  seed();
  const random = (): number => ((next() >>> 5) * 67_108_864 + (next() >>> 6)) / 9_007_199_254_740_992;
  Object.defineProperty(Math, 'random', { value: random, writable: true, enumerable: false, configurable: true });

  function reseed(): void {
    seed();
    for (let drawn = 0; drawn < DRAWN_AHEAD; drawn += 1) {
      randomUUID();
      randomInt(2);
    }
  }

  return {
    reseed,
    rehearse() {
      for (let times = 0; times < REHEARSALS; times += 1) reseed();
    },
  };
}
