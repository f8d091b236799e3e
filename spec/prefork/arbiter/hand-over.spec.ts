// What the arbiter does with a connection that a worker hands over, until another one has it.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { HandOver } from '../../../lib/prefork/arbiter/hand-over.ts';
import type { Worker } from '../../../lib/prefork/arbiter/worker.ts';

/** A worker that has room for so many connections. */
function taker(room: number): { worker: Worker; taken: number[]; makeRoom(more: number): void } {
  const taken: number[] = [];
  let left = room;
  const adopt = (descriptor: number): boolean => {
    if (left === 0) return false;
    left -= 1;
    taken.push(fstatSync(descriptor).ino); // open, still
    return true;
  };
  return { worker: { adopt } as unknown as Worker, taken, makeRoom: (more) => (left += more) };
}

const isOpen = (descriptor: number): boolean => {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
};

describe('a connection', () => {
  let handOver: HandOver;
  let takers: Worker[];
  let expected: boolean;
  const opened: number[] = [];

  const connection = (): number => {
    const descriptor = openSync('/dev/null', 'r');
    opened.push(descriptor);
    return descriptor;
  };

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date'] });
    takers = [];
    expected = false;
    handOver = new HandOver(
      () => takers,
      () => expected,
    );
  });

  afterEach(() => {
    handOver.close();
    const left = opened.splice(0).filter(isOpen);
    for (const descriptor of left) closeSync(descriptor);
    const timers = jest.getTimerCount();
    jest.useRealTimers();
    if (left.length + timers > 0) throw new Error(`${left.length} connections and ${timers} timers are left`);
  });

  test('goes to the first that takes it, and is closed here', () => {
    const [full, free] = [taker(0), taker(1)];
    takers = [full.worker, free.worker];
    handOver.pass(connection());
    expect([full.taken, free.taken].map(({ length }) => length)).toEqual([0, 1]);
  });

  test('is closed where nobody serves', () => {
    const descriptor = connection();
    handOver.pass(descriptor);
    expect(isOpen(descriptor)).toBe(false);
  });

  test('waits for a worker that is to come, and goes to it as soon as it is ready', () => {
    expected = true;
    const descriptors = [connection(), connection()];
    for (const descriptor of descriptors) handOver.pass(descriptor);
    jest.advanceTimersByTime(1000);
    expect(descriptors.map(isOpen)).toEqual([true, true]);
    const fresh = taker(2);
    takers = [fresh.worker];
    handOver.retry();
    expect(fresh.taken).toHaveLength(2);
    expect(descriptors.map(isOpen)).toEqual([false, false]);
  });

  test('is closed where nobody is to come any more', () => {
    expected = true;
    const descriptor = connection();
    handOver.pass(descriptor);
    expected = false;
    jest.advanceTimersByTime(10);
    expect(isOpen(descriptor)).toBe(false);
  });

  test('waits where nobody has room, in its turn', () => {
    const busy = taker(0);
    takers = [busy.worker];
    const descriptors = [connection(), connection(), connection()];
    for (const descriptor of descriptors) handOver.pass(descriptor);
    jest.advanceTimersByTime(100);
    expect(descriptors.map(isOpen)).toEqual([true, true, true]);
    busy.makeRoom(2);
    jest.advanceTimersByTime(5);
    expect(descriptors.map(isOpen)).toEqual([false, false, true]);
    busy.makeRoom(1);
    jest.advanceTimersByTime(10);
    expect(busy.taken).toHaveLength(3);
  });

  test('waits no longer than five seconds', () => {
    takers = [taker(0).worker];
    const descriptor = connection();
    handOver.pass(descriptor);
    jest.advanceTimersByTime(4900);
    expect(isOpen(descriptor)).toBe(true);
    jest.advanceTimersByTime(200);
    expect(isOpen(descriptor)).toBe(false);
  });

  test('is closed at the end', () => {
    takers = [taker(0).worker];
    const descriptor = connection();
    handOver.pass(descriptor);
    handOver.close();
    expect(isOpen(descriptor)).toBe(false);
  });
});
