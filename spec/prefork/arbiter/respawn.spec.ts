// When a worker that died is replaced: exact times, and what holds for all of them.

import fc from 'fast-check';
import { Respawn } from '../../../lib/prefork/arbiter/respawn.ts';

type Death = 'boot' | 'crash';

/** Milliseconds to wait after each of these deaths, each of which comes as soon as it can. */
function waits(respawn: Respawn, deaths: readonly Death[], from = 1000): number[] {
  let now = from;
  return deaths.map((kind) => {
    respawn.died(kind, now);
    const wait = respawn.from - now;
    now = respawn.from;
    return wait;
  });
}

const many = (kind: Death, times: number): Death[] => Array<Death>(times).fill(kind);

describe('a worker that died is replaced', () => {
  test('at once where nobody has died before', () => {
    expect(new Respawn().from).toBe(0);
  });

  test('at once five times, then after 1, 2, 4 ... 30 seconds', () => {
    expect(waits(new Respawn(), many('crash', 12))).toEqual([
      0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ]);
  });

  test('after a second where it did not even boot, then 2, 4 ... 30', () => {
    expect(waits(new Respawn(), many('boot', 8))).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  test('as late where workers boot and crash by turns', () => {
    expect(waits(new Respawn(), ['crash', 'boot', 'crash', 'boot'])).toEqual([0, 1000, 2000, 4000]);
  });

  test('at once for ever where one dies every five seconds', () => {
    const respawn = new Respawn();
    for (let now = 5000; now < 5_000_000; now += 5000) {
      respawn.died('crash', now);
      expect(respawn.from).toBe(now);
    }
  });

  test('at once again when it has gone well for a while after the wait', () => {
    const respawn = new Respawn();
    waits(respawn, many('crash', 7)); // two too many
    const end = respawn.from;
    respawn.died('crash', end + 14_999); // two are forgotten
    expect(respawn.from - (end + 14_999)).toBe(1000);
    const later = respawn.from;
    respawn.died('crash', later + 10_000);
    expect(respawn.from).toBe(later + 10_000);
  });

  test('soon after 30 seconds of a very long time of failures', () => {
    const respawn = new Respawn();
    waits(respawn, many('boot', 10_000));
    const now = respawn.from + 25 * 5000; // all are forgotten, however many there were
    respawn.died('crash', now);
    expect(respawn.from).toBe(now);
  });

  test('at once when a person asks, and as late as at first from then on', () => {
    const respawn = new Respawn();
    waits(respawn, many('boot', 9));
    respawn.forgive();
    expect(respawn.from).toBe(0);
    expect(waits(respawn, many('crash', 6), 1_000_000)).toEqual([0, 0, 0, 0, 0, 1000]);
  });

  test('never later than after 30 seconds, and never before its death', () => {
    const steps = fc.array(fc.tuple(fc.constantFrom<Death>('boot', 'crash'), fc.integer({ min: 0, max: 100_000 })));
    fc.assert(
      fc.property(steps, (all) => {
        const respawn = new Respawn();
        let now = 0;
        for (const [kind, step] of all) {
          now += step;
          respawn.died(kind, now);
          expect(respawn.from).toBeGreaterThanOrEqual(now + (kind === 'boot' ? 1000 : 0));
          expect(respawn.from).toBeLessThanOrEqual(now + 30_000);
        }
      }),
    );
  });

  test('no sooner for deaths that come closer together', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 0, max: 29 }), (all, at) => {
        const waitAfter = (steps: readonly number[]): number => {
          const respawn = new Respawn();
          let now = 0;
          for (const step of steps) {
            now = Math.max(now, respawn.from) + step;
            respawn.died('crash', now);
          }
          return respawn.from - now;
        };
        const closer = all.map((gap, index) => (index === at % all.length ? Math.floor(gap / 2) : gap));
        expect(waitAfter(closer)).toBeGreaterThanOrEqual(waitAfter(all));
      }),
    );
  });
});
