// The matrix: the cells there are, their names, and how they are chosen.

import {
  djangoFailures,
  DRIVERS,
  lawful,
  matrix,
  select,
  shares,
  type MatrixOptions,
} from '../../../lib/lab/run/cells.ts';
import type { Cell, Fix } from '../../../lib/lab/result.ts';

const WHOLE: MatrixOptions = { drivers: DRIVERS, workers: [2, 4, 8], maxRequests: [0, 5, 1], concurrency: [1, 8] };
const FIXES: readonly Fix[] = ['none', 'lazy', 'started', 'pgbouncer-strict', 'pgbouncer-lenient', 'postfork'];
const idsOf = (cells: readonly Cell[]): string[] => cells.map(({ id }) => id);
const all = matrix(WHOLE);
const cell = (id: string): Cell => select(all, id)[0] as Cell;

describe('the whole matrix', () => {
  test('has each fix in each deployment', () => {
    for (const deployment of ['in-process', 'single', 'spawn', 'fork']) {
      const fixes = new Set(all.filter((one) => one.deployment === deployment).map(({ fix }) => fix));
      expect([...fixes].toSorted()).toEqual([...FIXES, ...(deployment === 'fork' ? ['guard'] : [])].toSorted());
    }
  });

  test('has the thread’s deployment with each fix, number of workers and max-requests', () => {
    const expected = FIXES.flatMap((fix) => [2, 4, 8].flatMap((w) => [0, 5, 1].map((m) => `fork/${fix}/w${w}/m${m}`)));
    expect(idsOf(all)).toEqual(expect.arrayContaining(expected));
    expect(all[0]?.id).toBe('fork/none/w2/m0');
  });

  test('has spawned workers of each number and each max-requests', () => {
    for (const fix of ['none', 'postfork']) {
      expect(
        idsOf(all.filter((one) => one.deployment === 'spawn' && one.fix === fix && one.concurrency === 1)),
      ).toEqual(expect.arrayContaining([2, 4, 8].flatMap((w) => [`spawn/${fix}/w${w}/m0`, `spawn/${fix}/w${w}/m5`])));
      expect(cell(`spawn/${fix}/w4/m1`)).toMatchObject({ workers: 4, maxRequests: 1 });
    }
  });

  test('has one process without numbers of workers and requests', () => {
    const alone = idsOf(all.filter(({ deployment }) => deployment === 'single' || deployment === 'in-process'));
    expect(alone.filter((id) => /\/[wm]\d/.test(id))).toEqual([]);
    expect(alone).toEqual(expect.arrayContaining(['single/none', 'single/none/c8', 'in-process/started']));
  });

  test('has each driver without a fix, in turn and at a time', () => {
    expect(idsOf(all)).toEqual(
      expect.arrayContaining([
        'fork/none/w4/m0',
        'fork/none/w4/m0/c8',
        'fork/none/w4/m0/pg-native',
        'fork/none/w4/m0/c8/pg-native',
        'fork/none/w4/m0/pg-plain',
        'fork/none/w4/m0/c8/pg-plain',
        'fork/guard/w4/m0',
      ]),
    );
  });

  test('has no name twice, and each name says what the cell is', () => {
    expect(new Set(idsOf(all)).size).toBe(all.length);
    expect(cell('fork/none/w8/m5')).toEqual({
      id: 'fork/none/w8/m5',
      deployment: 'fork',
      driver: 'pg',
      fix: 'none',
      workers: 8,
      maxRequests: 5,
      concurrency: 1,
    });
    expect(cell('fork/none/w4/m0/c8/pg-native')).toMatchObject({ driver: 'pg-native', concurrency: 8 });
  });
});

describe('options narrow it:', () => {
  test('a driver', () => {
    expect(new Set(matrix({ ...WHOLE, drivers: ['pg-plain'] }).map(({ driver }) => driver))).toEqual(
      new Set(['pg-plain']),
    );
    expect(matrix({ ...WHOLE, drivers: [] })).toEqual([]);
  });

  test('numbers of workers and of requests', () => {
    const some = matrix({ ...WHOLE, workers: [3], maxRequests: [7] });
    expect(new Set(some.map(({ workers }) => workers))).toEqual(new Set([3, 1]));
    expect(idsOf(some)).toEqual(expect.arrayContaining(['fork/none/w3/m7', 'fork/guard/w3/m7', 'fork/none/w3/m7/c8']));
    expect(some.filter(({ id }) => /\/m(?!7)/.test(id))).toEqual([]);
  });

  test('without one at a time all cells are several at a time', () => {
    const several = matrix({ ...WHOLE, concurrency: [3] });
    expect(new Set(several.map(({ concurrency }) => concurrency))).toEqual(new Set([3]));
    expect(idsOf(several)).toEqual(expect.arrayContaining(['fork/lazy/w8/m5/c3', 'in-process/none/c3']));
  });

  test('one at a time alone leaves the others out', () => {
    expect(matrix({ ...WHOLE, concurrency: [1] }).some(({ concurrency }) => concurrency > 1)).toBe(false);
  });

  test('a number that is given twice counts once', () => {
    const twice = matrix({ ...WHOLE, workers: [2, 4, 8, 2], maxRequests: [0, 0, 5, 1], concurrency: [1, 8, 8, 1] });
    expect(idsOf(twice)).toEqual(idsOf(all));
  });
});

describe('select', () => {
  test('a whole name is that cell alone, though others begin with it', () => {
    expect(idsOf(select(all, 'fork/none/w4/m0'))).toEqual(['fork/none/w4/m0']);
    expect(idsOf(select(all, 'single/none'))).toEqual(['single/none']);
  });

  test('the first parts are all that begin with them', () => {
    expect(select(all, 'fork')).toEqual(all.filter(({ deployment }) => deployment === 'fork'));
    expect(idsOf(select(all, 'fork/guard'))).toEqual(['fork/guard/w4/m0']);
    expect(select(all, 'fork/none/w4')).toEqual(
      all.filter(({ deployment, fix, workers }) => deployment === 'fork' && fix === 'none' && workers === 4),
    );
  });

  test('* is any part', () => {
    expect(select(all, '*/postfork')).toEqual(all.filter(({ fix }) => fix === 'postfork'));
    expect(idsOf(select(all, 'fork/*/w2/m1'))).toEqual([
      ...FIXES.map((fix) => `fork/${fix}/w2/m1`),
      'fork/none/w2/m1/pg-native',
    ]);
    expect(select(all, '*')).toEqual(all);
  });

  test.each(['fork/non', 'ork/none', '', 'fork/none/w4/m0/c8/pg/more', 'none'])(
    '%j names none, and what there is is said',
    (pattern) => {
      expect(() => select(all, pattern)).toThrow(RangeError);
      expect(() => select(all, pattern)).toThrow(`no cell is called ${pattern}; there are\n  fork/none/w2/m0\n`);
      expect(() => select(all, pattern)).toThrow('\n  in-process/postfork\n');
    },
  );
});

test('the law speaks of requests one after the other, on drivers that do not read while they are idle', () => {
  expect(all.filter((one) => !lawful(one))).toEqual(
    all.filter(({ concurrency, driver }) => concurrency > 1 || driver === 'pg-plain'),
  );
  expect(lawful(cell('fork/none/w4/m0/pg-native'))).toBe(true);
});

test('a connection is shared by forked processes, unless a fix keeps it from that', () => {
  const sharing = new Set(all.filter(shares).map(({ deployment, fix }) => `${deployment}/${fix}`));
  expect(sharing).toEqual(new Set(['fork/none', 'fork/pgbouncer-strict', 'fork/pgbouncer-lenient']));
});

test.each<[string, number, number | null]>([
  ['fork/none/w4/m0', 100, 3],
  ['fork/none/w4/m5', 100, 21],
  ['fork/none/w4/m1', 100, 99],
  ['fork/lazy/w4/m1', 100, 0],
  ['fork/started/w4/m5', 100, 0],
  ['fork/none/w4/m0/pg-native', 100, 3],
  ['fork/none/w4/m0', 99, null],
  ['fork/none/w2/m0', 100, null],
  ['fork/none/w4/m0/c8', 100, null],
  ['fork/none/w4/m0/pg-plain', 100, null],
  ['fork/postfork/w4/m0', 100, null],
  ['spawn/none/w4/m0', 100, null],
])('real Django, where it was measured: %s of %d requests: %p', (id, requests, failures) => {
  expect(djangoFailures(cell(id), requests)).toBe(failures);
});
