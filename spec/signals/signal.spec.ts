// Signal: what it keeps of Django's dispatcher (django/dispatch/dispatcher.py), and what it adds.

import { receiver, Signal, type ConnectOptions } from '../../lib/signals/index.ts';
import { collectGarbage } from '../support/garbage.ts';

interface Fired {
  value: number;
}

type FiredSignal = Signal<Fired>;

/** A signal that tells nobody of its errors but `errors`. */
function quiet(): { signal: FiredSignal; errors: unknown[] } {
  const errors: unknown[] = [];
  const signal: FiredSignal = new Signal('fired');
  signal.onError = (error) => errors.push(error);
  return { signal, errors };
}

/** The three ways to send: what is true of all is specified for all. */
const WAYS: [way: string, send: (signal: FiredSignal, sender?: unknown) => Promise<unknown>][] = [
  ['send', (signal, sender) => signal.send(sender, { value: 7 })],
  ['send in parallel', (signal, sender) => signal.send(sender, { value: 7 }, { parallel: true })],
  ['sendRobust', (signal, sender) => signal.sendRobust(sender, { value: 7 })],
  ['sendRobust in parallel', (signal, sender) => signal.sendRobust(sender, { value: 7 }, { parallel: true })],
  ['notify', async (signal, sender) => signal.notify(sender, { value: 7 })],
];

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each(WAYS)('%s', (_way, send) => {
  test('calls the receivers in connect order, with the signal, the sender and its own fields in one object', async () => {
    const { signal } = quiet();
    const calls: unknown[] = [];
    const sender = {};
    signal.connect((event) => calls.push(['first', event]));
    signal.connect((event) => calls.push(['second', event]));
    await send(signal, sender);
    expect(calls).toEqual([
      ['first', { signal, sender, value: 7 }],
      ['second', { signal, sender, value: 7 }],
    ]);
    expect((calls[0] as [string, { sender: unknown }])[1].sender).toBe(sender);
  });

  test('without receivers does nothing', async () => {
    const { signal } = quiet();
    await expect(send(signal)).resolves.not.toThrow();
  });

  test('calls a receiver only for the sender it was connected for, compared by identity', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const [one, other] = [{ same: true }, { same: true }];
    signal.connect(() => calls.push('of one'), { sender: one });
    signal.connect(() => calls.push('of all'));
    await send(signal, other);
    expect(calls).toEqual(['of all']);
    await send(signal, one);
    expect(calls).toEqual(['of all', 'of one', 'of all']);
  });

  test('calls `last` receivers after all others, in their own connect order', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const connect = (name: string, options?: ConnectOptions): void => {
      signal.connect(async () => {
        calls.push(`${name} begins`);
        await later();
        calls.push(`${name} ends`);
      }, options);
    };
    connect('last 1', { last: true });
    connect('first');
    connect('last 2', { last: true });
    connect('second');
    await send(signal);
    const order = calls.filter((call) => call.endsWith('begins')).map((call) => call.replace(' begins', ''));
    expect(order).toEqual(['first', 'second', 'last 1', 'last 2']);
    expect(calls.indexOf('last 1 begins')).toBeGreaterThan(calls.indexOf('second ends'));
  });

  test('goes by the list as it was at its beginning: who connects meanwhile is called the next time', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const added = (): unknown => calls.push('added');
    signal.connect(() => {
      calls.push('adds');
      signal.connect(added);
    });
    signal.connect(() => calls.push('second'));
    await send(signal);
    expect(calls).toEqual(['adds', 'second']);
    await send(signal);
    expect(calls).toEqual(['adds', 'second', 'adds', 'second', 'added']);
  });

  test('goes by the list as it was at its beginning: who is disconnected meanwhile is still called', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const second = (): unknown => calls.push('second');
    signal.connect(async () => {
      await later();
      signal.disconnect(second);
    });
    signal.connect(second);
    await send(signal);
    expect(calls).toEqual(['second']);
    await send(signal);
    expect(calls).toEqual(['second']);
  });

  test('calls a `once` receiver once', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    signal.connect(() => calls.push('once'), { once: true });
    signal.connect(() => calls.push('always'));
    await send(signal);
    await send(signal);
    expect(calls.toSorted()).toEqual(['always', 'always', 'once']);
    expect(signal.hasListeners()).toBe(true);
  });

  test('leaves a `once` receiver of another sender connected', async () => {
    const { signal } = quiet();
    const calls: unknown[] = [];
    const [one, other] = [{}, {}];
    const hear = ({ sender }: { sender: unknown }): unknown => calls.push(sender);
    signal.connect(hear, { sender: one, once: true });
    await send(signal, other);
    expect(calls).toEqual([]);
    expect(signal.hasListeners(one)).toBe(true);
    await send(signal, one);
    await send(signal, one);
    expect(calls).toEqual([one]);
    expect(signal.hasListeners(one)).toBe(false);
  });

  test('calls a `once` receiver once although it sends the signal again', async () => {
    const { signal } = quiet();
    let calls = 0;
    signal.connect(
      async () => {
        calls += 1;
        if (calls < 3) await send(signal);
      },
      { once: true },
    );
    await send(signal);
    expect(calls).toBe(1);
  });

  test('calls a `once` receiver once although a receiver before it sends the signal again', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    signal.connect(async () => {
      calls.push('before');
      if (calls.length === 1) await send(signal);
    });
    signal.connect(() => calls.push('once'), { once: true });
    await send(signal);
    expect(calls.toSorted()).toEqual(['before', 'before', 'once']);
  });

  test('lets a `once` receiver connect itself again', async () => {
    const { signal } = quiet();
    let calls = 0;
    const again = (): void => {
      calls += 1;
      if (calls < 3) signal.connect(again, { once: true });
    };
    signal.connect(again, { once: true });
    for (let i = 0; i < 5; i++) await send(signal);
    expect(calls).toBe(3);
  });

  test('does not call a weak receiver that nobody holds any more', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const held = (): unknown => calls.push('held');
    signal.connect(held, { weak: true });
    (() => signal.connect(() => calls.push('let go'), { weak: true }))();
    await send(signal);
    expect(calls).toEqual(['held', 'let go']);
    await collectGarbage();
    await send(signal);
    expect(calls).toEqual(['held', 'let go', 'held']);
    expect(held).toBeDefined();
  });
});

describe('connect', () => {
  test('refuses what is not a function', () => {
    const { signal } = quiet();
    expect(() => signal.connect({} as () => void)).toThrow(new TypeError('fired.connect: a receiver is a function'));
  });

  test('ignores a receiver that is connected already, and keeps its place', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    const first = (): unknown => calls.push('first');
    signal.connect(first);
    signal.connect(() => calls.push('second'));
    signal.connect(first);
    signal.connect(first, { last: true });
    await signal.send(undefined, { value: 1 });
    expect(calls).toEqual(['first', 'second']);
  });

  test('takes the same receiver for each of several senders', async () => {
    const { signal } = quiet();
    const heard: unknown[] = [];
    const hear = ({ sender }: { sender: unknown }): unknown => heard.push(sender);
    const [one, other] = [{}, {}];
    signal.connect(hear, { sender: one });
    signal.connect(hear, { sender: other });
    signal.connect(hear, { sender: one });
    for (const sender of [one, other, {}]) await signal.send(sender, { value: 1 });
    expect(heard).toEqual([one, other]);
  });

  test.each(['uid', Symbol('uid')])('with a dispatchUid ignores any other receiver of that %p', async (dispatchUid) => {
    const { signal } = quiet();
    const calls: string[] = [];
    signal.connect(() => calls.push('first'), { dispatchUid });
    signal.connect(() => calls.push('second'), { dispatchUid });
    signal.connect(() => calls.push('of a sender'), { dispatchUid, sender: 1 });
    await signal.send(1, { value: 1 });
    expect(calls).toEqual(['first', 'of a sender']);
  });

  test('takes a receiver twice that is given once with a dispatchUid and once without', async () => {
    const { signal } = quiet();
    const hear = jest.fn();
    signal.connect(hear);
    signal.connect(hear, { dispatchUid: 'uid' });
    await signal.send(undefined, { value: 1 });
    expect(hear).toHaveBeenCalledTimes(2);
  });

  test('compares bound methods by identity: each bind is another receiver', async () => {
    const { signal } = quiet();
    const counter = {
      count: 0,
      add(): void {
        this.count += 1;
      },
    };
    signal.connect(counter.add.bind(counter));
    signal.connect(counter.add.bind(counter));
    signal.connect(counter.add.bind(counter), { dispatchUid: 'counter' });
    signal.connect(counter.add.bind(counter), { dispatchUid: 'counter' });
    await signal.send(undefined, { value: 1 });
    expect(counter.count).toBe(3);
  });

  test('holds a receiver unless it is told not to', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    (() => signal.connect(() => calls.push('inline')))();
    await collectGarbage();
    await signal.send(undefined, { value: 1 });
    expect(calls).toEqual(['inline']);
  });

  test('takes a receiver anew whose dispatchUid was that of one that is gone', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    (() => signal.connect(() => calls.push('gone'), { weak: true, dispatchUid: 'uid' }))();
    await collectGarbage();
    signal.connect(() => calls.push('new'), { dispatchUid: 'uid' });
    await signal.send(undefined, { value: 1 });
    expect(calls).toEqual(['new']);
  });
});

describe('disconnect', () => {
  test('removes a receiver and says whether it was there', async () => {
    const { signal } = quiet();
    const hear = jest.fn();
    signal.connect(hear);
    expect(signal.disconnect(hear)).toBe(true);
    expect(signal.disconnect(hear)).toBe(false);
    await signal.send(undefined, { value: 1 });
    expect(hear).not.toHaveBeenCalled();
  });

  test('removes a weak receiver', () => {
    const { signal } = quiet();
    const hear = (): void => {};
    signal.connect(hear, { weak: true });
    expect(signal.disconnect(hear)).toBe(true);
    expect(signal.hasListeners()).toBe(false);
  });

  test('removes a receiver only for the sender it is given', async () => {
    const { signal } = quiet();
    const hear = jest.fn();
    const sender = {};
    signal.connect(hear);
    signal.connect(hear, { sender });
    expect(signal.disconnect(hear, { sender: {} })).toBe(false);
    expect(signal.disconnect(hear, { sender })).toBe(true);
    await signal.send(sender, { value: 1 });
    expect(hear).toHaveBeenCalledTimes(1);
  });

  test('takes the dispatchUid where the receiver was connected with one', () => {
    const { signal } = quiet();
    const hear = (): void => {};
    signal.connect(hear, { dispatchUid: 'uid' });
    expect(signal.disconnect(hear)).toBe(false);
    expect(signal.disconnect('uid')).toBe(true);
    expect(signal.disconnect('uid')).toBe(false);
  });

  test('says that a receiver which is gone was not there', async () => {
    const { signal } = quiet();
    (() => signal.connect(() => {}, { weak: true, dispatchUid: 'uid' }))();
    await collectGarbage();
    expect(signal.disconnect('uid')).toBe(false);
  });
});

describe('hasListeners', () => {
  test('tells whether a sender would be heard', () => {
    const { signal } = quiet();
    const sender = {};
    const hear = (): void => {};
    expect(signal.hasListeners()).toBe(false);
    signal.connect(hear, { sender });
    expect(signal.hasListeners()).toBe(false);
    expect(signal.hasListeners({})).toBe(false);
    expect(signal.hasListeners(sender)).toBe(true);
    signal.connect(hear);
    expect(signal.hasListeners()).toBe(true);
    expect(signal.hasListeners({})).toBe(true);
  });

  test('does not count a receiver that is gone', async () => {
    const { signal } = quiet();
    (() => signal.connect(() => {}, { weak: true }))();
    expect(signal.hasListeners()).toBe(true);
    await collectGarbage();
    expect(signal.hasListeners()).toBe(false);
  });
});

describe('send', () => {
  test('resolves to pairs of receiver and answer', async () => {
    const { signal } = quiet();
    const plain = ({ value }: Fired): number => value + 1;
    const slow = async ({ value }: Fired): Promise<number> => value + 2;
    signal.connect(plain);
    signal.connect(slow);
    const expected = [
      [plain, 2],
      [slow, 3],
    ];
    expect(await signal.send(undefined, { value: 1 })).toEqual(expected);
    expect(await signal.send(undefined, { value: 1 }, { parallel: true })).toEqual(expected);
    expect(await signal.sendRobust(undefined, { value: 1 })).toEqual(expected);
  });

  test.each([
    ['rejects', () => Promise.reject(new Error('broken'))],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
  ])('stops at the first receiver that %s', async (_how, broken) => {
    const { signal, errors } = quiet();
    const after = jest.fn();
    signal.connect(broken);
    signal.connect(after);
    await expect(signal.send(undefined, { value: 1 })).rejects.toThrow('broken');
    expect(after).not.toHaveBeenCalled();
    expect(errors).toEqual([]);
  });

  test('leaves a `once` receiver connected that an error kept it from calling', async () => {
    const { signal } = quiet();
    const broken = (): never => {
      throw new Error('broken');
    };
    const once = jest.fn();
    signal.connect(broken);
    signal.connect(once, { once: true });
    await expect(signal.send(undefined, { value: 1 })).rejects.toThrow('broken');
    signal.disconnect(broken);
    await signal.send(undefined, { value: 1 });
    expect(once).toHaveBeenCalledTimes(1);
  });
});

describe('sendRobust', () => {
  test.each([{ parallel: false }, { parallel: true }])(
    'goes on after errors, which are the answers (%p)',
    async (options) => {
      const { signal, errors } = quiet();
      const told: unknown[] = [];
      signal.onError = (error, func, from) => {
        errors.push(error);
        told.push([func, from]);
      };
      const [thrown, rejected] = [new Error('thrown'), new Error('rejected')];
      const throws = (): never => {
        throw thrown;
      };
      const rejects = (): Promise<never> => Promise.reject(rejected);
      const fine = (): string => 'fine';
      for (const func of [throws, rejects, fine]) signal.connect(func);
      const results = await signal.sendRobust(undefined, { value: 1 }, options);
      expect(results).toEqual([
        [throws, thrown],
        [rejects, rejected],
        [fine, 'fine'],
      ]);
      expect(errors).toEqual([thrown, rejected]);
      expect(told).toEqual([
        [throws, signal],
        [rejects, signal],
      ]);
    },
  );

  test.each([
    ['text', 'text'],
    ['nothing', undefined],
    ['an object without a text', Object.create(null) as object],
  ])('makes an Error of %s that was thrown', async (_what, thrown) => {
    const { signal, errors } = quiet();
    signal.connect(() => {
      throw thrown;
    });
    const [[, response] = []] = await signal.sendRobust(undefined, { value: 1 });
    expect(response).toBeInstanceOf(Error);
    expect((response as Error).cause).toBe(thrown);
    expect(errors).toEqual([thrown]);
  });

  test('tells console.error where nothing else was set', async () => {
    const told = jest.spyOn(console, 'error').mockImplementation(() => {});
    const signal: FiredSignal = new Signal('fired');
    const error = new Error('broken');
    signal.connect(function named() {
      throw error;
    });
    await signal.sendRobust(undefined, { value: 1 });
    expect(told).toHaveBeenCalledWith('Error calling named of fired:', error);
    told.mockRestore();
  });
});

test.each(WAYS.slice(2))('%s survives an onError that fails', async (_way, send) => {
  const { signal } = quiet();
  const after = jest.fn();
  signal.connect(() => {
    throw new Error('broken');
  });
  signal.connect(after);
  signal.onError = () => {
    throw new Error('the logger is broken too');
  };
  await send(signal);
  const rejects: () => unknown = () => Promise.reject(new Error('the logger is broken too'));
  signal.onError = rejects; // a rejection that nobody owns would fail this test
  await send(signal);
  await later();
  expect(after).toHaveBeenCalledTimes(2);
});

describe('receivers that are async', () => {
  test.each(['send', 'sendRobust', 'notify'] as const)('are awaited one after the other by %s', async (method) => {
    const { signal } = quiet();
    const calls: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      signal.connect(async () => {
        calls.push(`${name} begins`);
        await later();
        calls.push(`${name} ends`);
      });
    }
    await signal[method](undefined, { value: 1 });
    expect(calls).toEqual(['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]));
  });

  test.each(['send', 'sendRobust'] as const)('run together where %s is asked for it', async (method) => {
    const { signal } = quiet();
    const gate = deferred();
    const first = (): Promise<unknown> => gate.promise;
    const second = async (): Promise<string> => {
      gate.resolve('let go by the second');
      return 'second';
    };
    signal.connect(first);
    signal.connect(second);
    // One after the other, the first would wait for ever.
    expect(await signal[method](undefined, { value: 1 }, { parallel: true })).toEqual([
      [first, 'let go by the second'],
      [second, 'second'],
    ]);
  });

  test('of `send` in parallel all run, and the first error is thrown', async () => {
    const { signal } = quiet();
    const ran: string[] = [];
    for (const name of ['first', 'second']) {
      signal.connect(async () => {
        ran.push(name);
        throw new Error(name);
      });
    }
    await expect(signal.send(undefined, { value: 1 }, { parallel: true })).rejects.toThrow('first');
    expect(ran).toEqual(['first', 'second']);
  });
});

describe('notify', () => {
  test('has nothing to wait for where all receivers are plain', () => {
    const { signal } = quiet();
    const calls: string[] = [];
    expect(signal.notify(undefined, { value: 1 })).toBeUndefined();
    signal.connect(() => calls.push('first'));
    signal.connect(() => calls.push('second'));
    expect(signal.notify(undefined, { value: 1 })).toBeUndefined();
    expect(calls).toEqual(['first', 'second']);
  });

  test('gives a promise where one receiver is async, and calls the plain ones behind it after it', async () => {
    const { signal } = quiet();
    const calls: string[] = [];
    signal.connect(() => calls.push('plain'));
    signal.connect(async () => {
      await later();
      calls.push('async');
    });
    signal.connect(() => calls.push('plain again'));
    const told = signal.notify(undefined, { value: 1 });
    expect(told).toBeInstanceOf(Promise);
    expect(calls).toEqual(['plain']);
    await expect(told).resolves.toBeUndefined();
    expect(calls).toEqual(['plain', 'async', 'plain again']);
  });

  test('does not wait for the async receivers of another sender', () => {
    const { signal } = quiet();
    signal.connect(async () => {}, { sender: {} });
    expect(signal.notify({}, { value: 1 })).toBeUndefined();
  });

  test('never throws and never rejects, and calls everybody', async () => {
    const { signal, errors } = quiet();
    const calls: string[] = [];
    signal.connect(() => {
      calls.push('throws');
      throw new Error('thrown');
    });
    signal.connect(() => {
      calls.push('rejects');
      return Promise.reject(new Error('rejected'));
    });
    signal.connect(() => {
      calls.push('throws again');
      throw new Error('thrown again');
    });
    signal.connect(() => {
      calls.push('rejects again');
      return Promise.reject(new Error('rejected again'));
    });
    await signal.notify(undefined, { value: 1 });
    expect(calls).toEqual(['throws', 'rejects', 'throws again', 'rejects again']);
    expect(errors.map(String)).toEqual(
      ['thrown', 'rejected', 'thrown again', 'rejected again'].map((text) => `Error: ${text}`),
    );
  });
});

describe('receiver', () => {
  test('connects a function to one signal and gives it back', async () => {
    const { signal } = quiet();
    const calls: unknown[] = [];
    const hear = receiver(signal)((event) => calls.push(event.value));
    await signal.send(undefined, { value: 1 });
    expect(calls).toEqual([1]);
    expect(signal.disconnect(hear)).toBe(true);
  });

  test('connects a function to several signals, with options', async () => {
    const [one, other] = [quiet().signal, quiet().signal];
    const calls: unknown[] = [];
    const sender = {};
    receiver([one, other], { sender, once: true })((event) => calls.push(event.signal));
    await one.send({}, { value: 1 });
    await one.send(sender, { value: 1 });
    await one.send(sender, { value: 1 });
    await other.send(sender, { value: 1 });
    expect(calls).toEqual([one, other]);
  });
});

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
