// The signals there are: Django's names, and nobody connected.

import * as signals from '../../lib/signals/index.ts';

const all = Object.entries(signals).filter(([, value]) => value instanceof signals.Signal) as [
  string,
  signals.Signal,
][];

test('are those of requests, of workers and of forks', () => {
  expect(all.map(([name]) => name).toSorted()).toEqual([
    'after_fork',
    'before_fork',
    'got_request_exception',
    'request_finished',
    'request_started',
    'worker_started',
    'worker_stopping',
  ]);
});

test.each(all)('%s is named so and has no receiver', (name, signal) => {
  expect(signal.name).toBe(name);
  expect(signal.hasListeners()).toBe(false);
});
