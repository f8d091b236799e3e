// A pgbouncer of one's own in front of a PostgreSQL server of one's own.

import { existsSync } from 'node:fs';
import { PgbouncerServer } from '../../lib/lab/index.ts';
import { isRunning } from '../support/processes.ts';
import { pgbouncerServer, postgresServer } from '../support/postgres.ts';
import { ask } from './owner.ts';

const postgres = postgresServer();
let heard = '';
const pgbouncer = pgbouncerServer(postgres, {
  poolMode: 'transaction',
  settings: { default_pool_size: '3' },
  onLog: (text) => (heard += text),
});

test('hands queries on, by TCP and by its unix socket', async () => {
  for (const url of [pgbouncer.url(), pgbouncer.server.socketUrl()]) {
    expect(await ask(url, 'SELECT pg_backend_pid()')).toBe((await postgres.backends()).at(-1)?.pid);
  }
});

test('asks for the password', async () => {
  const wrong = new URL(pgbouncer.url());
  wrong.password = 'guess';
  await expect(ask(wrong.href)).rejects.toThrow(/authentication failed/i);
});

test('has the pool mode and the settings that were given', async () => {
  const config = await pgbouncer.admin<{ key: string; value: string }>('SHOW CONFIG');
  const value = (name: string): unknown => config.find(({ key }) => key === name)?.value;
  expect([value('pool_mode'), value('default_pool_size')]).toEqual(['transaction', '3']);
});

test('works on after its restart, on the same port', async () => {
  const { pid, port } = pgbouncer.server;
  await pgbouncer.server.restart();
  expect(isRunning(pid as number)).toBe(false);
  expect(pgbouncer.server.port).toBe(port);
  expect(await ask(pgbouncer.url())).toBe(1);
});

test('tells its whole log, restarts included', () => {
  expect(heard.match(/process up/g)).toHaveLength(2);
  expect(heard).toBe(pgbouncer.server.log);
});

test('starts after it was killed', async () => {
  await pgbouncer.server.kill();
  await expect(ask(pgbouncer.url())).rejects.toThrow('ECONNREFUSED');
  await pgbouncer.server.start();
  expect(await ask(pgbouncer.url())).toBe(1);
});

test('works on after a restart of the server behind it', async () => {
  await postgres.server.restart();
  await postgres.until('a query', async () => (await ask(pgbouncer.url()).catch(() => undefined)) !== undefined);
  expect(await ask(pgbouncer.url())).toBe(1);
});

test('takes another port where its first choice was taken', async () => {
  const random = jest.spyOn(Math, 'random').mockReturnValueOnce((postgres.server.port - 20_000) / 12_000);
  const other = await PgbouncerServer.create({ postgres: postgres.server });
  random.mockRestore();
  expect(other.log).toMatch(/address already in use/i);
  expect(other.port).not.toBe(postgres.server.port);
  expect(await ask(other.url())).toBe(1);
  await other.remove();
});

test('nothing is left of it when it is removed', async () => {
  const other = await PgbouncerServer.create({ postgres: postgres.server });
  const pid = other.pid as number;
  expect(existsSync(other.socketFolder)).toBe(true);
  await Promise.all([other.remove(), other.remove()]);
  expect(existsSync(other.socketFolder)).toBe(false);
  expect(isRunning(pid)).toBe(false);
  await expect(other.start()).rejects.toThrow('was removed');
});

test('what does not start says why', async () => {
  const settings = { pool_mode: 'sometimes' };
  await expect(PgbouncerServer.create({ postgres: postgres.server, settings })).rejects.toThrow(/pool_mode/);
});
