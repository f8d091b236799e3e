// How many workers are wanted: exact numbers, and what holds for all of them.

import fc from 'fast-check';
import { Scaler, type Fleet, type Scaling } from '../../../lib/prefork/arbiter/scaling.ts';

const BUSY = 0;
const IDLE = 10;

/** So many workers that boot, have a request, have none. */
const fleet = (booting: number, busy: number, idle: number): Fleet => ({
  booting,
  idle: [...Array<number>(busy).fill(BUSY), ...Array<number>(idle).fill(IDLE)],
});

const count = (max: number, min = 0): fc.Arbitrary<number> => fc.integer({ min, max });
const dynamic: fc.Arbitrary<Extract<Scaling, { kind: 'dynamic' }>> = fc
  .tuple(count(20), count(20), count(40, 1), count(40, 1))
  .map(([a, b, c, d]) => ({
    kind: 'dynamic',
    minSpare: Math.min(a, b),
    maxSpare: Math.max(a, b),
    workers: Math.min(c, d),
    maxWorkers: Math.max(c, d),
  }));
const onDemand: fc.Arbitrary<Extract<Scaling, { kind: 'ondemand' }>> = fc.record({
  kind: fc.constant('ondemand'),
  maxWorkers: count(20, 1),
  idleTimeout: count(10_000, 1),
});
const fleets = fc.array(
  fc.record({ booting: count(10), idle: fc.array(fc.oneof(fc.constant(0), count(20_000)), { maxLength: 40 }) }),
  { maxLength: 30 },
);

/** Reviews of workers that all boot in time, where `busy` of them have a request, until nothing changes. */
function settled(scaler: Scaler, busy: number, size = 0): { sizes: number[]; size: number } {
  const sizes: number[] = [];
  for (let review = 0; review < 200; review++) {
    const working = Math.min(busy, size);
    scaler.review(fleet(0, working, size - working));
    if (scaler.wanted === size) break;
    size = scaler.wanted;
    sizes.push(size);
  }
  return { sizes, size };
}

describe('static scaling', () => {
  test('wants always as many, whatever they do', () => {
    fc.assert(
      fc.property(count(50, 1), fleets, (workers, all) => {
        const scaler = new Scaler({ kind: 'static', workers });
        for (const one of all) scaler.review(one);
        expect(scaler.wanted).toBe(workers);
      }),
    );
  });

  test('is resized by one, to no less than one', () => {
    const scaler = new Scaler({ kind: 'static', workers: 2 });
    scaler.resize(1);
    expect(scaler.wanted).toBe(3);
    for (let times = 0; times < 5; times++) scaler.resize(-1);
    expect(scaler.wanted).toBe(1);
    scaler.resize(1);
    expect(scaler.wanted).toBe(2);
  });

  test('is not woken', () => {
    const scaler = new Scaler({ kind: 'static', workers: 2 });
    scaler.wake();
    expect(scaler.wanted).toBe(2);
  });
});

describe('dynamic scaling', () => {
  const wide: Scaling = { kind: 'dynamic', workers: 2, minSpare: 10, maxSpare: 20, maxWorkers: 100 };

  test('begins with the workers that were asked for', () => {
    expect(new Scaler(wide).wanted).toBe(2);
  });

  test('grows by 1, 2, 4 ... while that does not suffice', () => {
    const scaler = new Scaler({ ...wide, minSpare: 50, maxSpare: 60, maxWorkers: 200 });
    const sizes = [2];
    for (let review = 0; review < 8; review++) {
      scaler.review(fleet(0, sizes.at(-1) as number, 0));
      sizes.push(scaler.wanted);
    }
    expect(sizes).toEqual([2, 3, 5, 9, 17, 33, 65, 97, 129]); // never more than 32 at once
  });

  test('grows by no more than is missing, and counts those that boot', () => {
    const scaler = new Scaler(wide);
    scaler.review(fleet(0, 0, 2)); // 1
    scaler.review(fleet(1, 0, 2)); // 2
    scaler.review(fleet(3, 0, 2)); // 4
    expect(scaler.wanted).toBe(9);
    scaler.review(fleet(4, 0, 5)); // would be 8
    expect(scaler.wanted).toBe(10);
    scaler.review(fleet(5, 0, 5));
    expect(scaler.wanted).toBe(10);
  });

  test('begins with one again after it was enough', () => {
    const scaler = new Scaler(wide);
    scaler.review(fleet(0, 2, 0));
    scaler.review(fleet(0, 3, 0));
    expect(scaler.wanted).toBe(5);
    scaler.review(fleet(0, 3, 10));
    scaler.review(fleet(0, 13, 0));
    expect(scaler.wanted).toBe(14);
  });

  test('shrinks by one at a time while too many are idle', () => {
    const scaler = new Scaler(wide);
    scaler.review(fleet(0, 5, 22));
    expect(scaler.wanted).toBe(26);
    scaler.review(fleet(0, 5, 21));
    expect(scaler.wanted).toBe(25);
    scaler.review(fleet(0, 5, 20));
    expect(scaler.wanted).toBe(25);
  });

  test('shrinks to its limit where that was lowered', () => {
    const scaler = new Scaler({ kind: 'dynamic', workers: 3, minSpare: 0, maxSpare: 3, maxWorkers: 3 });
    scaler.resize(-1);
    expect(scaler.wanted).toBe(3);
    scaler.review(fleet(0, 3, 0));
    expect(scaler.wanted).toBe(2);
    scaler.resize(1);
    scaler.resize(1);
    expect(scaler.wanted).toBe(2); // a limit, not an order
  });

  test('never wants more than its limit, nor none', () => {
    fc.assert(
      fc.property(dynamic, fleets, (scaling, all) => {
        const scaler = new Scaler(scaling);
        for (const one of all) {
          scaler.review(one);
          expect(scaler.wanted).toBeGreaterThanOrEqual(1);
          expect(scaler.wanted).toBeLessThanOrEqual(scaling.maxWorkers);
        }
      }),
    );
  });

  test('comes to rest where the load does not change, with the spare workers that were asked for', () => {
    fc.assert(
      fc.property(dynamic, count(60), count(40, 1), (scaling, busy, from) => {
        const { minSpare, maxSpare, maxWorkers } = scaling;
        const scaler = new Scaler(scaling);
        const { size, sizes } = settled(scaler, busy, Math.min(from, maxWorkers));
        const spare = size - Math.min(busy, size);
        for (let again = 0; again < 10; again++) {
          scaler.review(fleet(0, Math.min(busy, size), spare));
          expect(scaler.wanted).toBe(size);
        }
        const oneWay = sizes.every((now, at) => at === 0 || now > (sizes[at - 1] as number));
        const otherWay = sizes.every((now, at) => at === 0 || now < (sizes[at - 1] as number));
        expect(oneWay || otherWay).toBe(true); // straight there
        expect(spare >= minSpare || size === maxWorkers).toBe(true);
        expect(spare <= maxSpare || size === 1).toBe(true);
      }),
    );
  });

  test('orders no worker while those ordered before suffice', () => {
    fc.assert(
      fc.property(dynamic, count(20), count(20), (scaling, busy, idle) => {
        const scaler = new Scaler(scaling);
        const missing = Math.max(0, scaling.minSpare - idle);
        const size = busy + idle + missing;
        fc.pre(size >= 1 && size <= scaling.maxWorkers && idle <= scaling.maxSpare);
        scaler.review(fleet(missing, busy, idle));
        expect(scaler.wanted).toBe(size);
      }),
    );
  });
});

describe('scaling on demand', () => {
  const scaling: Scaling = { kind: 'ondemand', maxWorkers: 3, idleTimeout: 1000 };

  test('begins with one, which shows that the application starts', () => {
    expect(new Scaler(scaling).wanted).toBe(1);
  });

  test('wants one more while all are busy, up to its limit, and none while one boots', () => {
    const scaler = new Scaler(scaling);
    scaler.review(fleet(0, 1, 0));
    expect(scaler.wanted).toBe(2);
    scaler.review(fleet(1, 1, 0));
    expect(scaler.wanted).toBe(2);
    scaler.review(fleet(0, 2, 0));
    expect(scaler.wanted).toBe(3);
    scaler.review(fleet(0, 3, 0));
    expect(scaler.wanted).toBe(3);
    scaler.review(fleet(0, 2, 1));
    expect(scaler.wanted).toBe(3);
  });

  test('lets those go that were idle for longer than their time, all of them', () => {
    const scaler = new Scaler(scaling);
    scaler.review({ booting: 0, idle: [0, 1000, 999] });
    expect(scaler.wanted).toBe(3);
    scaler.review({ booting: 0, idle: [0, 1001, 999] });
    expect(scaler.wanted).toBe(2);
    scaler.review({ booting: 0, idle: [5000, 1001] });
    expect(scaler.wanted).toBe(0);
  });

  test('is woken where there are none, and not where there are some', () => {
    const scaler = new Scaler(scaling);
    scaler.review(fleet(0, 2, 0));
    scaler.wake();
    expect(scaler.wanted).toBe(3);
    scaler.review(fleet(0, 0, 0));
    expect(scaler.wanted).toBe(0);
    scaler.wake();
    scaler.wake();
    expect(scaler.wanted).toBe(1);
    scaler.review(fleet(1, 0, 0));
    expect(scaler.wanted).toBe(1);
  });

  test('has its limit resized, to no less than one', () => {
    const scaler = new Scaler({ ...scaling, maxWorkers: 1 });
    scaler.resize(-1);
    scaler.review(fleet(0, 1, 0));
    expect(scaler.wanted).toBe(1);
    scaler.resize(1);
    scaler.review(fleet(0, 1, 0));
    expect(scaler.wanted).toBe(2);
  });

  test('never wants more than its limit, nor less than those that boot or have had requests', () => {
    fc.assert(
      fc.property(onDemand, fleets, (one, all) => {
        const scaler = new Scaler(one);
        for (const { booting, idle } of all) {
          scaler.review({ booting, idle });
          const needed = booting + idle.filter((ms) => ms <= one.idleTimeout).length;
          expect(scaler.wanted).toBeLessThanOrEqual(one.maxWorkers);
          expect(scaler.wanted).toBeGreaterThanOrEqual(Math.min(needed, one.maxWorkers));
        }
      }),
    );
  });

  test('comes to rest where the load does not change', () => {
    fc.assert(
      fc.property(onDemand, count(30, 1), (one, busy) => {
        const { size } = settled(new Scaler({ ...one, idleTimeout: 1000 }), busy, 1);
        expect([busy, busy + 1].map((workers) => Math.min(workers, one.maxWorkers))).toContain(size);
      }),
    );
  });
});

test('numbers that contradict each other are refused in the words of the command line', () => {
  const scaling = { kind: 'dynamic', workers: 2, minSpare: 1, maxSpare: 2, maxWorkers: 4 } as const;
  expect(() => new Scaler({ ...scaling, minSpare: 3 })).toThrow(
    new RangeError('--min-spare 3 is more than --max-spare 2'),
  );
  expect(() => new Scaler({ ...scaling, workers: 5 })).toThrow(
    new RangeError('--workers 5 is more than --max-workers 4'),
  );
  expect(() => new Scaler({ ...scaling, minSpare: 2, workers: 4 })).not.toThrow();
});
