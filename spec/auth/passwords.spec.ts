// Passwords: hashed by scrypt, verified at the cost they were hashed with, a bounded number at once.

import { scryptSync } from 'node:crypto';
import { HttpError } from '../../lib/app/index.ts';
import { hashPassword, needsRehash, verifyPassword } from '../../lib/auth/index.ts';
import { HashQueue } from '../../lib/auth/hash-queue.ts';
import { formatPassword } from '../../lib/auth/password-format.ts';
import { hashesOf } from './hashes.ts';
import { Latch } from './latch.ts';

const encode = (password: string, ln: number, r: number, p: number): string => {
  const salt = Buffer.alloc(16, 7);
  const hash = scryptSync(password, salt, 32, { N: 2 ** ln, r, p });
  return formatPassword({ cost: { ln, r, p }, salt, hash });
};

test('a hash says how it was made, has a salt of its own, and knows its password', async () => {
  const [one, other] = await Promise.all([hashPassword('secret'), hashPassword('secret')]);
  expect(one).toMatch(/^\$scrypt\$ln=14,r=8,p=5\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(one).not.toBe(other);
  expect(await verifyPassword('secret', one)).toBe(true);
  expect(await verifyPassword('Secret', one)).toBe(false);
  expect(needsRehash(one)).toBe(false);
});

test('a hash is what scrypt of RFC 7914 gives', async () => {
  // Section 12: scrypt("pleaseletmein", "SodiumChloride", N=16384, r=8, p=1), its first 32 bytes.
  const hash = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2', 'hex');
  const encoded = formatPassword({ cost: { ln: 14, r: 8, p: 1 }, salt: Buffer.from('SodiumChloride'), hash });
  expect(await verifyPassword('pleaseletmein', encoded)).toBe(true);
  expect(needsRehash(encoded)).toBe(true);
});

test('passwords are the same that look the same (NFKC)', async () => {
  const hash = await hashPassword('Åﬁ'); // A with a ring, the ligature fi
  expect(await verifyPassword('A\u030afi', hash)).toBe(true);
});

test.each(['', 'x'.repeat(1025), undefined])('%j is no password', async (password) => {
  await expect(hashPassword(password as string)).rejects.toThrow(RangeError);
  expect(await verifyPassword(password as string, await hashPassword('x'))).toBe(false);
});

test.each([
  ['nothing', undefined],
  ['no password', '!'],
  ['another algorithm', '$argon2id$v=19$m=65536,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo'],
  ['more than 256 MiB', encode('x', 4, 8, 1).replace('ln=4,', 'ln=18,')],
  ['more than 2 ** 23 rounds', encode('x', 4, 8, 1).replace('ln=4,r=8,p=1', 'ln=16,r=8,p=17')],
  ['N of 2 ** 99', encode('x', 4, 8, 1).replace('ln=4,', 'ln=99,')],
  ['a cost of nothing', encode('x', 4, 8, 1).replace('r=8', 'r=0')],
  ['a short salt', '$scrypt$ln=14,r=8,p=5$c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo'],
])('%s in place of a hash: false, and a hash is computed all the same', async (_what, encoded) => {
  const hashes = await hashesOf(async () => expect(await verifyPassword('x', encoded)).toBe(false));
  expect(hashes).toBe(1);
  expect(needsRehash(encoded ?? '')).toBe(true);
});

test('a hash of the highest cost that OWASP lists is verified', async () => {
  expect(await verifyPassword('x', encode('x', 4, 8, 1))).toBe(true);
  const salt = Buffer.alloc(16, 7);
  const hash = scryptSync('x', salt, 32, { N: 2 ** 17, r: 8, p: 1, maxmem: 2 ** 28 });
  expect(await verifyPassword('x', formatPassword({ cost: { ln: 17, r: 8, p: 1 }, salt, hash }))).toBe(true);
});

test('the event loop goes on while passwords are hashed', async () => {
  let turns = 0;
  const count = (): void => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  await Promise.all([hashPassword('a'), hashPassword('b')]);
  clearImmediate(timer);
  expect(turns).toBeGreaterThan(10);
});

describe('HashQueue', () => {
  test('runs so many at once, has so many wait in their order, and refuses more', async () => {
    const queue = new HashQueue(2, 3);
    const latches = Array.from({ length: 5 }, () => new Latch());
    const begun: number[] = [];
    const running = latches.map((latch, at) =>
      queue.run(async () => {
        begun.push(at);
        await latch.opened;
        if (at === 0) throw new Error('fails');
      }),
    );
    const failed = (running[0] as Promise<void>).then(
      () => 'ended',
      (error: Error) => error.message,
    );
    const refused = queue.run(() => Promise.resolve());
    await expect(refused).rejects.toThrow(HttpError);
    await expect(refused).rejects.toMatchObject({ status: 503 });
    expect(begun).toEqual([0, 1]);
    latches[0]?.open();
    expect(await failed).toBe('fails');
    await new Promise(setImmediate);
    expect(begun).toEqual([0, 1, 2]);
    for (const latch of latches) latch.open();
    await Promise.all(running.slice(1));
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    await queue.run(() => Promise.resolve()); // there is room again
  });

  test('admits no more than run and wait in it', async () => {
    const queue = new HashQueue(1, 1);
    const latch = new Latch();
    const inside = [
      queue.admit(() => latch.opened),
      queue.admit(() => latch.opened.then(() => Promise.reject(new Error()))),
    ];
    await expect(queue.admit(() => Promise.resolve())).rejects.toMatchObject({ status: 503 });
    latch.open();
    await Promise.allSettled(inside);
    await queue.admit(() => queue.run(() => Promise.resolve())); // there is room again
  });
});
