// LISTEN and NOTIFY.

import { AsyncLocalStorage } from 'node:async_hooks';
import { configureDatabases, connections, db, type Listening, type Notification } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const warnings: string[] = [];

beforeAll(() => {
  const log = { warn: (_: object, text: string) => void warnings.push(text), error: () => {} };
  configureDatabases({ default: { url: postgres.url(), applicationName: 'app' } }, { log });
});
afterEach(async () => {
  await connections.closeAll();
  await postgres.until('no backend is left', async () => (await backends()).length === 0);
});

const backends = () => postgres.backends({ applicationName: 'app' });
const notify = (channel: string, payload?: string) =>
  postgres.admin('SELECT pg_notify($1, $2)', [channel, payload ?? '']);
const payload = async (listening: Listening) => (await listening.next()).value?.payload;

async function payloads(listening: Listening, count: number): Promise<(string | undefined)[]> {
  const all: (string | undefined)[] = [];
  while (all.length < count) all.push(await payload(listening));
  return all;
}

test('several channels, and several listeners of one, share a connection; each hears its own, in order', async () => {
  const [a, b, other] = await Promise.all([db.listen('a'), db.listen('b'), db.listen('a')]);
  expect(await backends()).toHaveLength(1);
  for (let i = 0; i < 20; i++) await notify(i % 2 === 0 ? 'a' : 'b', String(i));
  const even = Array.from({ length: 10 }, (_, i) => String(2 * i));
  expect(await payloads(a as Listening, 10)).toEqual(even);
  expect(await payloads(other as Listening, 10)).toEqual(even);
  expect(await payloads(b as Listening, 10)).toEqual(even.map((i) => String(Number(i) + 1)));
});

test('db.notify is heard when its transaction is committed, not before, and not when it is rolled back', async () => {
  const listening = await db.listen('news');
  await connections.scope(async () => {
    await db
      .transaction(async () => {
        await db.notify('news', 'rolled back');
        throw new Error('no');
      })
      .catch(() => {});
    await db.transaction(async () => {
      await db.notify('news', 'committed');
      await notify('news', 'meanwhile');
      expect(await payload(listening)).toBe('meanwhile');
    });
    await db.notify('news');
  });
  const seen = await Promise.all([listening.next(), listening.next()]);
  expect(seen.map(({ value }) => value)).toEqual([
    { channel: 'news', payload: 'committed', backendPid: expect.any(Number) },
    { channel: 'news', payload: '', backendPid: expect.any(Number) },
  ]);
});

describe('ends', () => {
  test('by break', async () => {
    const listening = await db.listen('a');
    await notify('a', '1');
    for await (const { payload: text } of listening) {
      expect(text).toBe('1');
      break;
    }
    expect(await listening.next()).toEqual({ value: undefined, done: true });
    expect(await backends()).toEqual([]);
  });

  test('by close, twice, while somebody waits', async () => {
    const listening = await db.listen('a');
    const waiting = listening.next();
    await Promise.all([listening.close(), listening.close()]);
    await listening.close();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(await backends()).toEqual([]);
  });

  test('by an AbortSignal', async () => {
    const stop = new AbortController();
    const listening = await db.listen('a', { signal: stop.signal });
    const heard: Notification[] = [];
    const done = (async () => {
      for await (const notification of listening) heard.push(notification);
    })();
    await notify('a', '1');
    await postgres.until('it is heard', () => heard.length === 1);
    stop.abort();
    await done;
    await postgres.until('no backend is left', async () => (await backends()).length === 0);
    await expect(db.listen('a', { signal: stop.signal })).rejects.toThrow('aborted');
  });

  test('by an AbortSignal before it has begun', async () => {
    const stop = new AbortController();
    const asked = db.listen('a', { signal: stop.signal });
    stop.abort();
    const listening = await asked;
    expect(await listening.next()).toEqual({ value: undefined, done: true });
    await postgres.until('no backend is left', async () => (await backends()).length === 0);
  });

  test('by closeAll', async () => {
    const listening = await db.listen('a');
    const waiting = listening.next();
    await connections.closeAll();
    expect(await waiting).toEqual({ value: undefined, done: true });
    expect(await backends()).toEqual([]);
  });

  test('for one: the others go on, and the last of a channel tells the server', async () => {
    const [first, second, other] = await Promise.all([db.listen('a'), db.listen('a'), db.listen('b')]);
    await first.close();
    await notify('a', '1');
    expect(await payload(second)).toBe('1');
    expect((await backends())[0]?.query).not.toContain('UNLISTEN');
    await second.close();
    expect((await backends()).map(({ query }) => query)).toEqual(['UNLISTEN "a"']);
    await notify('b', '2');
    expect(await payload(other)).toBe('2');
  });
});

test('more than may wait: what has come can be read, then the iteration fails', async () => {
  const listening = await db.listen('a', { maxWaiting: 3 });
  const other = await db.listen('a');
  for (let i = 0; i < 5; i++) await notify('a', String(i));
  expect(await payloads(other, 5)).toHaveLength(5);
  const heard: string[] = [];
  const failed = rejection(
    (async () => {
      for await (const { payload: text } of listening) heard.push(text);
    })(),
  );
  expect(await failed).toMatchObject({ name: 'InterfaceError', code: 'OVERFLOW' });
  expect(heard).toEqual(['0', '1', '2']);
  expect(await listening.next()).toEqual({ value: undefined, done: true });
});

test.each(['UPPER lower', 'quo"te', "it's", 'x"; DROP TABLE t; --', 'ü€😀', '-', 'a'.repeat(63)])(
  'a channel may have any name: %s',
  async (channel) => {
    const listening = await db.listen(channel);
    await connections.scope(() => db.notify(channel, 'heard'));
    expect((await listening.next()).value).toMatchObject({ channel, payload: 'heard' });
  },
);

test.each(['', 'a'.repeat(64), 'ü'.repeat(32), 'a\0b'])(
  'but for one that PostgreSQL has no room for: %j',
  async (channel) => {
    await expect(db.listen(channel)).rejects.toThrow(TypeError);
  },
);

describe('a connection that is lost', () => {
  const again = (): { onReconnect: () => void; times: () => number } => {
    let times = 0;
    return { onReconnect: () => void times++, times: () => times };
  };

  test('is made again, for all that listen, and they are told', async () => {
    const [one, two] = [again(), again()];
    const a = await db.listen('a', one);
    const b = await db.listen('b', two);
    await postgres.admin('SELECT pg_terminate_backend($1)', [(await backends())[0]?.pid]);
    await postgres.until('they are told', () => one.times() === 1 && two.times() === 1);
    expect(await backends()).toHaveLength(1);
    await notify('a', '1');
    await notify('b', '2');
    expect([await payload(a), await payload(b)]).toEqual(['1', '2']);
  });

  test('is made again, though a listener fails when it is told', async () => {
    warnings.splice(0);
    const { onReconnect, times } = again();
    const a = await db.listen('a', {
      onReconnect: () => {
        throw new Error('a listener that fails');
      },
    });
    const b = await db.listen('b', { onReconnect });
    await postgres.admin('SELECT pg_terminate_backend($1)', [(await backends())[0]?.pid]);
    await postgres.until('it is told', () => times() === 1);
    await notify('a', '1');
    await notify('b', '2');
    expect([await payload(a), await payload(b), times()]).toEqual(['1', '2', 1]);
    expect(warnings).toEqual(['LISTEN: onReconnect failed']);
  });

  test('is told of in the scope of the one that listens, not of another one’s', async () => {
    const outside = AsyncLocalStorage.snapshot();
    await connections.scope(async () => {
      await db.listen('a'); // the connection is opened here
      const told = new Promise((resolve) => {
        const onReconnect = (): void => resolve(rejection(db.query('SELECT 1')));
        void outside(() => db.listen('b', { onReconnect }));
      });
      await postgres.until('both listen', async () => (await backends()).some(({ query }) => query === 'LISTEN "b"'));
      await postgres.admin('SELECT pg_terminate_backend($1)', [(await backends())[0]?.pid]);
      expect(await told).toMatchObject({ name: 'InterfaceError', code: 'NO_SCOPE' });
    });
  });

  test('is tried until the server is there again', async () => {
    warnings.splice(0);
    const { onReconnect, times } = again();
    const listening = await db.listen('a', { onReconnect });
    await postgres.server.stop('fast');
    await postgres.until('it has failed', () => warnings.length === 1);
    await postgres.server.start();
    await postgres.until('it is told', () => times() === 1);
    await notify('a', '1');
    expect(await payload(listening)).toBe('1');
    expect(warnings).toEqual(['LISTEN: the connection is lost, and is tried again']);
  }, 30_000);

  test('is not tried when nobody listens any more', async () => {
    warnings.splice(0);
    const listening = await db.listen('a');
    await postgres.server.stop('fast');
    try {
      await postgres.until('it has failed', () => warnings.length === 1);
      await listening.close();
    } finally {
      await postgres.server.start();
    }
    const next = await db.listen('b'); // what was tried before would be there by now, and a second connection
    expect(await backends()).toHaveLength(1);
    await next.close();
  }, 30_000);
});
