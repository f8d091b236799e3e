// How long connections are kept: connMaxAge.

import { join } from 'node:path';
import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections } from '../../lib/db/index.ts';
import { request_finished } from '../../lib/signals/index.ts';
import { postgresServer } from '../support/postgres.ts';
import { SpecProcess } from '../support/process.ts';

const postgres = postgresServer();

beforeAll(() => {
  const url = postgres.url();
  configureDatabases({
    default: { url, applicationName: 'zero' },
    second: { url, applicationName: 'second', connMaxAge: 1 },
    minute: { url, applicationName: 'minute', connMaxAge: 60 },
    ages: { url, applicationName: 'ages', connMaxAge: 10_000_000 },
    kept: { url, applicationName: 'kept', connMaxAge: null },
  });
});
afterAll(() => connections.closeAll());

const count = async (applicationName: string) => (await postgres.backends({ applicationName })).length;
const pidOf = async (alias: string) =>
  (await connections.get(alias).query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
const pidInScope = (alias: string) => connections.scope(() => pidOf(alias));

test('0: closed at the end of the request, when the answer has been sent', async () => {
  const app = new Application();
  const open: unknown[] = [];
  app.get('/', async () => `${await pidOf('default')}`);
  const early = async (): Promise<void> => void open.push(await count('zero'));
  request_finished.connect(early, { sender: app }); // before that which closes, which is `last`
  try {
    const response = await app.inject('/');
    expect(Number(response.text())).toBeGreaterThan(0);
  } finally {
    request_finished.disconnect(early, { sender: app });
  }
  expect(open).toEqual([1]);
  await postgres.until('it is closed', () => connections.stats()['default']?.closed === 1);
  expect(connections.stats()['default']).toMatchObject({ open: 0, opened: 1 });
  expect(await count('zero')).toBe(0);
});

test('n seconds: used again by the next requests', async () => {
  const first = await pidInScope('minute');
  expect([await pidInScope('minute'), await pidInScope('minute')]).toEqual([first, first]);
  expect(await count('minute')).toBe(1);
  const [connection] = [...(connections.get('minute').store?.connections ?? [])];
  expect(connection).toMatchObject({ uses: 3, inUse: false, backendPid: first, ownerPid: process.pid });
});

test('n seconds: closed when they are over, though nobody asks', async () => {
  await pidInScope('second');
  expect(await count('second')).toBe(1);
  await postgres.until('it is closed', () => connections.stats()['second']?.closed === 1);
  expect(connections.stats()['second']).toMatchObject({ open: 0, idle: 0, opened: 1 });
  expect(await count('second')).toBe(0);
});

test('n seconds: one that grows old in a request is closed at its end, not before', async () => {
  await connections.scope(async () => {
    const pid = await pidOf('second');
    await connections.get('second').query('SELECT pg_sleep(1.1)');
    connections.closeOld();
    expect(await pidOf('second')).toBe(pid);
  });
  expect(connections.stats()['second']).toMatchObject({ open: 0, idle: 0 });
});

test('more seconds than a timer takes are no hurry', async () => {
  const timers = jest.spyOn(global, 'setTimeout');
  try {
    await pidInScope('ages');
    const longest = Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0));
    expect(longest).toBeGreaterThan(60_000);
    expect(longest).toBeLessThan(2 ** 31);
  } finally {
    timers.mockRestore();
  }
});

test('null: kept', async () => {
  const first = await pidInScope('kept');
  connections.closeOld();
  expect(await pidInScope('kept')).toBe(first);
  expect(await count('kept')).toBe(1);
});

test('a kept connection keeps no process alive', async () => {
  const program = `
    import { configureDatabases, connections, db } from ${JSON.stringify(join(process.cwd(), 'dist/db/index.js'))};
    configureDatabases({ default: { url: process.env.URL, connMaxAge: null, applicationName: 'script' } });
    await connections.scope(() => db.query('SELECT 1'));
    console.log(JSON.stringify(connections.stats().default));
  `;
  const args = ['--input-type=module', '--eval', program];
  const script = new SpecProcess(process.execPath, args, { environ: { URL: postgres.url() } });
  try {
    await script.says(/"idle":1/, 'stdout');
    expect(await script.exited).toEqual({ code: 0, signal: null });
  } finally {
    await script.stop('SIGKILL');
  }
  await postgres.until('the server has seen it', async () => (await count('script')) === 0);
});
