// The figures of a cell, from what was written down of its run.

import type { Cell } from '../../../lib/lab/result.ts';
import type { Failure } from '../../../lib/lab/run/client.ts';
import { measure } from '../../../lib/lab/run/measure.ts';
import { line, makeRun, requestsBy, session } from './runs.ts';

describe('the law', () => {
  const FOUR = requestsBy(1, 1, 2, 1, 3, 2, 3, 1);
  const predicted = (cell: Partial<Cell>, journal = FOUR): number | null =>
    measure(makeRun(cell, { journal }), 0).predicted;

  test('without a fix: the workers that served, less one', () => {
    expect(predicted({})).toBe(2);
    expect(predicted({ driver: 'pg-native' })).toBe(2);
    expect(predicted({}, requestsBy(7, 7, 7))).toBe(0);
    expect(predicted({}, requestsBy(1, 2, 3, 4, 5))).toBe(4);
    expect(predicted({ fix: 'pgbouncer-lenient' })).toBe(2);
  });

  test('with a strict close: all requests of all workers but the first', () => {
    expect(predicted({ fix: 'pgbouncer-strict' })).toBe(4);
    expect(predicted({ fix: 'pgbouncer-strict' }, requestsBy(3, 2, 2, 3))).toBe(2);
  });

  test.each<Partial<Cell>>([
    { fix: 'lazy' },
    { fix: 'started' },
    { fix: 'postfork' },
    { deployment: 'spawn' },
    { deployment: 'spawn', fix: 'pgbouncer-strict' },
    { deployment: 'single', workers: 1 },
    { deployment: 'in-process', workers: 1 },
  ])('nobody shares a connection, nothing fails: %j', (cell) => {
    expect(predicted(cell)).toBe(0);
  });

  test('nothing where nobody has served: the fork guard refuses', () => {
    const { predicted: failures, requests, refused } = measure(makeRun({ fix: 'guard' }, { refused: 'no' }), 0);
    expect({ failures, requests, refused }).toEqual({ failures: 0, requests: 0, refused: 'no' });
    expect(predicted({}, [])).toBe(0);
    expect(predicted({ fix: 'pgbouncer-strict' }, [])).toBe(0);
  });

  test('it says nothing of several requests at a time, nor of a driver that reads while it is idle', () => {
    expect(predicted({ concurrency: 8 })).toBeNull();
    expect(predicted({ concurrency: 8, fix: 'postfork' })).toBeNull();
    expect(predicted({ driver: 'pg-plain' })).toBeNull();
    expect(predicted({ driver: 'pg-plain', fix: 'lazy' })).toBeNull();
  });
});

test('what is counted', () => {
  const failures = new Map<number, Failure>([
    [2, { kind: 'OperationalError', text: 'a' }],
    [5, { kind: 'hang', text: 'b' }],
    [6, { kind: 'hang', text: 'b' }],
  ]);
  const journal = [
    line(1, 9, 'import'),
    line(2, 9, 'open', { connection: '9-1', port: 4001 }),
    line(3, 1, 'fork', { connection: '9-1' }),
    line(4, 2, 'serve'),
    ...requestsBy(1, 2, 1, 1, 2, 1, 1),
    line(900, 1, 'open', { connection: '1-2', port: 4002, request: 3 }),
    line(901, 1, 'query', { connection: '1-2', request: 3 }),
  ];
  const postgres = { sessions: [session(21, 4001, 2, 110), session(22, 4002, 900, null)], complaints: [] };
  expect(measure(makeRun({}, { requests: 7, failures, journal, postgres }), 0)).toEqual({
    cell: makeRun().cell,
    requests: 7,
    answered: 4,
    failures: { OperationalError: 1, InterfaceError: 0, crossed: 0, hang: 2, death: 0, other: 0 },
    workersServed: 2,
    predicted: 1,
    django: null,
    connects: 2,
    backends: 2,
    errors: [
      { kind: 'hang', text: 'b', count: 2, source: 'page' },
      { kind: 'OperationalError', text: 'a', count: 1, source: 'page' },
    ],
    refused: null,
    timeline: null,
    seconds: 1.5,
  });
});

test('real Django’s figure stands by the run that is like it', () => {
  expect(measure(makeRun({}, { requests: 100, journal: requestsBy(1) }), 0).django).toBe(3);
  expect(measure(makeRun({ maxRequests: 1 }, { requests: 100, journal: requestsBy(1) }), 0).django).toBe(99);
  expect(measure(makeRun({}, { requests: 20, journal: requestsBy(1) }), 0).django).toBeNull();
});

test('equal texts of one source are one, the most frequent first', () => {
  const lost = 'OperationalError: server closed the connection unexpectedly';
  const closed = 'InterfaceError: connection already closed';
  const error = (text: string): ReturnType<typeof line> => line(1, 1, 'error', { error: text });
  const failures = new Map<number, Failure>([
    [1, { kind: 'OperationalError', text: lost }],
    [2, { kind: 'InterfaceError', text: closed }],
    [3, { kind: 'OperationalError', text: lost }],
    [4, { kind: 'crossed', text: 'another page than was asked for' }],
  ]);
  const journal = [
    error(closed),
    error(closed),
    error(closed),
    error(`${lost}\n`),
    error('TypeError: no'),
    error(closed),
  ];
  const postgres = { sessions: [], complaints: ['FATAL:  it ends', 'FATAL:  it ends'] };
  const pgbouncer = { sessions: [], complaints: ['closing because: client unexpected eof'] };
  const { errors } = measure(makeRun({}, { requests: 4, failures, journal, postgres, pgbouncer }), 0);
  expect(errors).toEqual([
    { kind: 'InterfaceError', text: closed, count: 4, source: 'application' },
    { kind: 'OperationalError', text: lost, count: 2, source: 'page' },
    { kind: 'other', text: 'FATAL:  it ends', count: 2, source: 'postgresql' },
    { kind: 'InterfaceError', text: closed, count: 1, source: 'page' },
    { kind: 'crossed', text: 'another page than was asked for', count: 1, source: 'page' },
    { kind: 'OperationalError', text: lost, count: 1, source: 'application' },
    { kind: 'other', text: 'TypeError: no', count: 1, source: 'application' },
    { kind: 'other', text: 'closing because: client unexpected eof', count: 1, source: 'pgbouncer' },
  ]);
});

test('a picture is made of so many requests, and of a run that has a journal', () => {
  const journal = requestsBy(1, 2, 1, 2);
  expect(measure(makeRun({}, { requests: 4, journal }), 3).timeline?.shown).toBe(3);
  expect(measure(makeRun({}, { requests: 4, journal }), 0).timeline).toBeNull();
  expect(measure(makeRun(), 3).timeline).toBeNull();
});
