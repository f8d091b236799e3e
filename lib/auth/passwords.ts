// Passwords: hashed by scrypt in libuv's threads, never in the event loop.

import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { HashQueue } from './hash-queue.ts';
import { formatPassword, memoryOf, parsePassword, type ScryptCost } from './password-format.ts';

/** What OWASP's Password Storage Cheat Sheet lists for 16 MiB; Django's since 5.1. */
const COST: ScryptCost = { ln: 14, r: 8, p: 5 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
const MAX_LENGTH = 1024; // UTF-16 units, before NFKC
const HASHES_AT_ONCE = 2; // of the 4 threads of libuv's pool
const MAX_WAITING = 128; // 5 to 10 s

/** In place of a hash: a user that no password lets in (Django's UNUSABLE_PASSWORD_PREFIX). */
export const NO_PASSWORD = '!';

const queue = new HashQueue(HASHES_AT_ONCE, MAX_WAITING);

/**
 * A password as it is stored: `$scrypt$ln=14,r=8,p=5$salt$hash`, with a salt of its own. The password is normalised by NFKC
 * (NIST SP 800-63B, 5.1.1.2), so that it is the same from every keyboard. Throws RangeError unless it has 1 to 1024
 * characters; rejects with HttpError 503 where more than 128 hashes are waiting.
 */
export async function hashPassword(password: string): Promise<string> {
  if (!acceptable(password)) throw new RangeError(`a password has 1 to ${MAX_LENGTH} characters`);
  const salt = randomBytes(SALT_BYTES);
  return formatPassword({ cost: COST, salt, hash: await derive(password, salt, HASH_BYTES, COST) });
}

/**
 * Whether a password is the one that was hashed, at the cost it was hashed with. Where `encoded` is undefined or cannot be
 * read a hash is computed all the same: an unknown user takes as long as a known one (Django's ModelBackend does so).
 * Rejects with HttpError 503 where more than 128 hashes are waiting.
 */
export async function verifyPassword(password: string, encoded: string | undefined): Promise<boolean> {
  if (!acceptable(password)) return false;
  const known = encoded === undefined ? undefined : parsePassword(encoded);
  if (known === undefined) {
    await derive(password, Buffer.alloc(SALT_BYTES), HASH_BYTES, COST);
    return false;
  }
  return timingSafeEqual(await derive(password, known.salt, known.hash.length, known.cost), known.hash);
}

/** Do what verifies a password in the end. Rejects as it does, or with HttpError 503 where 130 are at it. */
export function admitted<T>(work: () => Promise<T>): Promise<T> {
  return queue.admit(work);
}

/** Whether a hash was made at another cost than is used now; `authenticate` then makes a new one of the password it has. */
export function needsRehash(encoded: string): boolean {
  const known = parsePassword(encoded);
  if (known === undefined) return true;
  const { ln, r, p } = known.cost;
  return ln !== COST.ln || r !== COST.r || p !== COST.p || known.hash.length !== HASH_BYTES;
}

function acceptable(password: unknown): boolean {
  return typeof password === 'string' && password.length > 0 && password.length <= MAX_LENGTH;
}

function derive(password: string, salt: Buffer, length: number, cost: ScryptCost): Promise<Buffer> {
  const { ln, r, p } = cost;
  const options = { N: 2 ** ln, r, p, maxmem: 2 * memoryOf(cost) };
  return queue.run(
    () =>
      new Promise((resolve, reject) => {
        scrypt(password.normalize('NFKC'), salt, length, options, (error, hash) => {
          if (error === null) resolve(hash);
          else reject(error);
        });
      }),
  );
}
