// What the number of failures does not tell of a cell.

import type { Cell } from '../../../lib/lab/result.ts';
import { amissIn } from '../../../lib/lab/run/amiss.ts';
import type { Run } from '../../../lib/lab/run/run.ts';
import { line, makeRun, requestsBy, session } from './runs.ts';

const amiss = (cell: Partial<Cell>, rest: Partial<Run> = {}): string[] => amissIn(makeRun(cell, rest));
const REFUSAL =
  'The application has opened a connection while it was loaded, before the fork. All workers would share it.\n  tcp:…';

test('nothing, of a cell that is as it must be', () => {
  expect(amiss({}, { copies: 5, journal: requestsBy(1, 2, 3) })).toEqual([]);
  expect(amiss({ fix: 'started' }, { copies: 5 })).toEqual([]);
  expect(amiss({ fix: 'postfork' }, { copies: 1 })).toEqual([]);
  expect(amiss({ deployment: 'spawn', fix: 'started' }, { copies: 1 })).toEqual([]);
  expect(amiss({ fix: 'guard' }, { refused: REFUSAL })).toEqual([]);
});

test('a fork guard that lets it fork, or another reason not to start', () => {
  expect(amiss({ fix: 'guard', workers: 1 })).toEqual([
    'the fork guard did not refuse to fork with an open connection',
  ]);
  expect(amiss({ fix: 'guard' }, { refused: 'Error: boom' })).toEqual([
    'it did not start, and not because of the fork guard',
  ]);
  expect(amiss({}, { refused: 'Error: boom' })).toEqual(['it did not start']);
});

test('copies of the import’s connection where there must be none, and none where there must be some', () => {
  expect(amiss({ fix: 'postfork' }, { copies: 5 })).toEqual(['5 processes had the connection of the import']);
  expect(amiss({ deployment: 'spawn' }, { copies: 2 })).toEqual(['2 processes had the connection of the import']);
  for (const fix of ['none', 'started', 'pgbouncer-strict', 'pgbouncer-lenient'] as const) {
    expect(amiss({ fix }, { copies: 1 })).toEqual(['no worker had a copy of the connection of the import']);
  }
});

test('a worker that served more than max-requests, one after the other', () => {
  const journal = requestsBy(1, 1, 1, 2, 2, 2, 2);
  expect(amiss({ maxRequests: 3 }, { journal })).toEqual(['a worker served 4 requests, and max-requests is 3']);
  expect(amiss({ maxRequests: 4 }, { journal })).toEqual([]);
  expect(amiss({ maxRequests: 0 }, { journal })).toEqual([]);
  expect(amiss({ maxRequests: 3, concurrency: 8 }, { journal })).toEqual([]);
});

test('Postfork’s connection of the import, ended before the last request was', () => {
  const journal = [line(1, 9, 'import'), line(2, 9, 'open', { backend: 21 }), ...requestsBy(1, 2)]; // the last ends at 115
  const ended = (to: number | null): Partial<Run> => ({
    journal,
    copies: 1,
    postgres: { sessions: [session(22, 4002, 101, 104), session(21, 4001, 2, to)], complaints: [] },
  });
  const sentence = 'a worker ended the session of the connection of the import, which its opener still used';
  expect(amiss({ fix: 'postfork' }, ended(90))).toEqual([sentence]);
  expect(amiss({ fix: 'postfork' }, ended(900))).toEqual([]);
  expect(amiss({ fix: 'postfork' }, ended(null))).toEqual([]);
  expect(amiss({ fix: 'started' }, { ...ended(90), copies: 5 })).toEqual([]);
});
