// connection_created and connection_closed, connection_acquired and connection_released, statement_executed, and the numbers of connections.stats().

import { AsyncLocalStorage } from 'node:async_hooks';
import { Application, type HttpRequest } from '../../lib/app/index.ts';
import {
  configureDatabases,
  connection_acquired,
  connection_closed,
  connection_created,
  connection_released,
  connections,
  type ConnectionEvent,
  type ConnectionUse,
  statement_executed,
  type StatementEvent,
} from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const said: [string, ConnectionEvent & { sender: unknown }][] = [];
const onCreated = (event: ConnectionEvent & { sender: unknown }): void => void said.push(['created', { ...event }]);
const onClosed = (event: ConnectionEvent & { sender: unknown }): void => void said.push(['closed', { ...event }]);
const thrown = new Error('a receiver that fails');
const fails = (): never => {
  throw thrown;
};
const failsLater = (): Promise<never> => Promise.reject(thrown);
const reported: unknown[] = [];

beforeAll(() => {
  const url = postgres.url();
  configureDatabases({
    default: { url },
    kept: { url, connMaxAge: null, maxConnections: 4 },
    wrong: { url: postgres.url('nowhere') },
  });
  for (const signal of [connection_created, connection_closed]) {
    signal.onError = (error) => void reported.push(error);
    for (const receiver of [fails, failsLater]) signal.connect(receiver);
  }
  connection_created.connect(onCreated);
  connection_closed.connect(onClosed);
});
afterAll(() => connections.closeAll());
beforeEach(() => {
  said.splice(0);
  reported.splice(0);
});

const told = (what: string, alias: string) => said.filter(([name, event]) => name === what && event.alias === alias);
const stats = (alias: string) => connections.stats()[alias];

test('tell of each connection once, though other receivers fail', async () => {
  const database = connections.get('default');
  const before = Date.now();
  const pid = await connections.scope(async () => {
    const { rows } = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await database.query('SELECT 1');
    await postgres.until('it was told', () => told('created', 'default').length === 1);
    return rows[0]?.pid;
  });
  await postgres.until('it was told', () => told('closed', 'default').length === 1);
  expect(said.map(([name]) => name)).toEqual(['created', 'closed']);
  for (const [, { sender, alias, connection }] of said) {
    expect([sender, alias]).toEqual([database, 'default']);
    expect(connection).toMatchObject({ backendPid: pid, ownerPid: process.pid, uses: 1 });
    expect(connection.openedAt.getTime()).toBeGreaterThanOrEqual(before);
    expect(connection.openedAt.getTime()).toBeLessThanOrEqual(Date.now());
  }
  expect(said[0]?.[1].connection).toBe(said[1]?.[1].connection);
  expect(reported).toEqual([thrown, thrown, thrown, thrown]);
});

test('tell of one that the server has ended', async () => {
  const database = connections.get('kept');
  await connections.scope(async () => {
    const { rows } = await database.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await postgres.admin('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await postgres.until('it was told', () => told('closed', 'kept').length === 1);
  });
  await connections.closeAll();
  expect(told('closed', 'kept')).toHaveLength(1);
});

test('tell of none that could not be opened', async () => {
  await expect(connections.scope(() => connections.get('wrong').query('SELECT 1'))).rejects.toThrow('no connection');
  expect(said).toEqual([]);
});

test('stats are true under load', async () => {
  await connections.closeAll();
  const database = connections.get('kept');
  said.splice(0);
  const { opened = 0, closed = 0 } = stats('kept') ?? {};
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      connections.scope(async () => {
        await database.query('SELECT $1::int, pg_sleep(0.001)', [i]);
        if (i % 5 === 0) await database.query('SET work_mem = 1024'); // it is closed
        if (i % 7 === 0) await database.query('SELECT pg_terminate_backend(pg_backend_pid())').catch(() => {});
        const now = stats('kept');
        expect(now?.open).toBe((now?.opened ?? 0) - (now?.closed ?? 0));
        expect(now?.open).toBeLessThanOrEqual(4);
        expect((now?.idle ?? 0) + (now?.inUse ?? 0)).toBeLessThanOrEqual(now?.open ?? 0);
      }),
    ),
  );
  const last = stats('kept');
  expect(last).toMatchObject({ inUse: 0, waiting: 0, idle: last?.open });
  await postgres.until('the server has as many', async () => (await postgres.backends()).length === last?.open);
  await postgres.until('all were told', () => told('created', 'kept').length === (last?.opened ?? 0) - opened);
  await postgres.until('all were told', () => told('closed', 'kept').length === (last?.closed ?? 0) - closed);
  expect(told('closed', 'kept').length).toBeGreaterThan(10);
  await connections.closeAll();
  expect(stats('kept')).toMatchObject({ open: 0, idle: 0, opened: last?.opened, closed: last?.opened });
  expect(await postgres.backends()).toEqual([]);
});

test('connection_acquired and connection_released tell who has a kept connection, and for how long', async () => {
  const database = connections.get('kept');
  await connections.closeAll();
  const uses: [what: string, id: number, path: string | undefined][] = [];
  const note = (what: string) => (event: ConnectionUse) => {
    if (event.alias === 'kept')
      uses.push([what, event.connection.id, (event.request as HttpRequest | undefined)?.path]);
  };
  const [onAcquired, onReleased] = [note('acquired'), note('released')];
  connection_acquired.connect(onAcquired);
  connection_released.connect(onReleased);
  const app = new Application();
  app.fallback(async () => (await database.query('SELECT 1 AS one')).rows[0] as object);
  await app.inject('/a');
  await app.inject('/b');
  await connections.scope(() => database.query('SELECT 1'));
  connection_acquired.disconnect(onAcquired);
  connection_released.disconnect(onReleased);
  const [, id] = uses[0] ?? [];
  expect(uses).toEqual([
    ['acquired', id, '/a'],
    ['released', id, '/a'],
    ['acquired', id, '/b'],
    ['released', id, '/b'],
    ['acquired', id, undefined],
    ['released', id, undefined],
  ]);
});

test('statement_executed tells of each statement that is over, without the values of parameters', async () => {
  const database = connections.get('kept');
  const heard: StatementEvent[] = [];
  const hear = (event: StatementEvent): void => void heard.push({ ...event });
  const app = new Application();
  app.fallback(async () => {
    await database.transaction(async () => {
      await database.query('SELECT $1::text', ['secret-4711'], { name: 'mine' });
      await database.transaction(() => database.query('SELECT 1 / $1::int', [0])).catch(() => {});
      for await (const row of database.cursor('SELECT generate_series(1, 3)', [], { batch: 2 })) void row;
    });
    let bytes = 0;
    for await (const piece of database.copyTo('COPY (SELECT 1) TO STDOUT', { name: 'out' })) bytes += piece.length;
    return String(bytes);
  });
  await connections.scope(() => database.query('SELECT 1')); // not heard
  statement_executed.connect(hear, { sender: database });
  expect((await app.inject('/told')).text()).toBe('2');
  await connections.scope(() => connections.get('default').query('SELECT 1')); // another sender
  await connections.scope(() => database.query('SELECT pg_sleep(0.02)'));
  statement_executed.disconnect(hear, { sender: database });
  await connections.scope(() => database.query('SELECT 2'));
  expect(heard.map(({ name, text, error }) => [name ?? text.replaceAll(/\d+/g, 'n'), error?.message])).toEqual([
    ['BEGIN', undefined],
    ['mine', undefined],
    ['SAVEPOINT postfork_n', undefined],
    ['SELECT n / $n::int', 'division by zero'],
    ['ROLLBACK TO SAVEPOINT postfork_n; RELEASE SAVEPOINT postfork_n', undefined],
    ['DECLARE postfork_cursor_n NO SCROLL CURSOR FOR SELECT generate_series(n, n)', undefined],
    ['FETCH FORWARD n FROM postfork_cursor_n', undefined],
    ['FETCH FORWARD n FROM postfork_cursor_n', undefined],
    ['CLOSE postfork_cursor_n', undefined],
    ['COMMIT', undefined],
    ['out', undefined],
    ['SELECT pg_sleep(n.n)', undefined],
  ]);
  expect(heard.map(({ request }) => (request as HttpRequest | undefined)?.path)).toEqual([
    ...Array<string>(11).fill('/told'),
    undefined,
  ]);
  expect(heard.at(-1)?.duration).toBeGreaterThanOrEqual(19);
  expect(heard.every(({ alias, connection }) => alias === 'kept' && connection.backendPid > 0)).toBe(true);
  expect(JSON.stringify(heard.map(({ text, name, error }) => [text, name, error]))).not.toContain('4711');
});

test('what outlives a request does not run for the one that opened the connection', async () => {
  const database = connections.get('kept');
  await connections.closeAll();
  const context = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const onEnd = ({ alias }: { alias: string }): void => void (alias === 'kept' && seen.push(context.getStore()));
  connection_closed.connect(onEnd);
  await context.run('a request', () => connections.scope(() => database.query('SELECT 1')));
  await connections.closeAll();
  connection_closed.disconnect(onEnd);
  expect(seen).toEqual([undefined]);
});
