// A PostgreSQL server of one's own: its life, its data, and what is left of it, which is nothing.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { PostgresServer } from '../../lib/lab/index.ts';
import { isRunning, until } from '../support/processes.ts';
import { ask, openFolder, ROOT } from './owner.ts';

const folder = openFolder();

const listening = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
  });

describe('a temporary server', () => {
  let server: PostgresServer;
  let heard = '';
  beforeAll(async () => {
    server = await PostgresServer.create({
      settings: { max_connections: '33' },
      onLog: (text) => (heard += text),
    });
    await ask(server.url(), 'CREATE TABLE kept AS SELECT 0 AS n');
  });
  afterAll(() => server.remove());

  test('asks for its password by TCP', async () => {
    expect(await ask(server.url(), 'SELECT current_user')).toBe('postgres');
    const wrong = new URL(server.url());
    wrong.password = 'guess';
    await expect(ask(wrong.href)).rejects.toThrow('password authentication failed');
  });

  test('asks for none on its unix socket', async () => {
    expect(new URL(server.socketUrl()).password).toBe('');
    expect(await ask(server.socketUrl(), 'SELECT inet_client_addr() IS NULL')).toBe(true);
  });

  test('has the settings that were given, and does not wait for the disk', async () => {
    expect(await ask(server.url(), 'SHOW max_connections')).toBe('33');
    expect(await ask(server.url(), 'SHOW fsync')).toBe('off');
  });

  test.each(['fast', 'smart', 'immediate'] as const)('restarts (%s) on its port with its data', async (mode) => {
    const { pid, port } = server;
    const n = Number(await ask(server.url(), 'UPDATE kept SET n = n + 1 RETURNING n'));
    await server.restart(mode);
    expect(server.pid).not.toBe(pid);
    expect(server.port).toBe(port);
    expect(isRunning(pid as number)).toBe(false);
    expect(await ask(server.url(), 'SELECT n FROM kept')).toBe(n);
  });

  test('starts after it was killed, with all that was committed', async () => {
    const pid = server.pid as number;
    const n = Number(await ask(server.url(), 'UPDATE kept SET n = n + 1 RETURNING n'));
    await server.kill();
    expect([server.pid, isRunning(pid)]).toEqual([undefined, false]);
    await server.start();
    expect(await ask(server.url(), 'SELECT n FROM kept')).toBe(n);
    expect(server.log).toContain('was not properly shut down');
  });

  test('tells when it has ended by itself, and starts again', async () => {
    const { ended } = server;
    process.kill(server.pid as number, 'SIGKILL');
    await ended;
    await server.start();
    expect(await ask(server.url())).toBe(1);
  });

  test('is not started twice', async () => {
    await expect(server.start()).rejects.toThrow('runs already');
  });

  test('says what is wrong when another one has its port', async () => {
    await server.stop();
    const other = await listening(server.port);
    await expect(server.start()).rejects.toThrow(/Address already in use/);
    await new Promise((resolve) => other.close(resolve));
    await server.start();
    expect(await ask(server.url())).toBe(1);
  });

  test('tells its whole log, restarts included, of which it keeps the end', async () => {
    expect(heard).toBe(server.log);
    await ask(server.url(), "DO $$ BEGIN RAISE LOG 'long: %', repeat('x', 256 * 1024); END $$");
    await server.restart();
    await until('the end of the log', () => heard.endsWith(server.log));
    expect(server.log).toHaveLength(256 * 1024);
    expect(heard).toMatch(/ready to accept connections[^]*long: x+\n[^]*ready to accept connections/);
  });

  test('another one at the same time is another one', async () => {
    const other = await PostgresServer.create({ database: 'a "b" ä' });
    try {
      expect(other.port).not.toBe(server.port);
      expect(await ask(other.url('a "b" ä'), 'SELECT current_database()')).toBe('a "b" ä');
      expect(await ask(other.url(), "SELECT to_regclass('kept') IS NULL")).toBe(true);
      await expect(ask(server.url('a "b" ä'))).rejects.toThrow('does not exist');
    } finally {
      await other.remove();
    }
  });
});

test('nothing is left of it when it is removed, twice if need be, and it does not start again', async () => {
  const server = await PostgresServer.create();
  const pid = server.pid as number;
  expect(existsSync(server.data)).toBe(true);
  await Promise.all([server.remove(), server.remove()]);
  await server.remove();
  expect(existsSync(server.socketFolder)).toBe(false);
  expect(existsSync(server.data)).toBe(false);
  expect(isRunning(pid)).toBe(false);
  await expect(ask(server.url())).rejects.toThrow('ECONNREFUSED');
  await expect(server.start()).rejects.toThrow('was removed');
});

describe('its port', () => {
  let other: Server;
  let taken: number;
  beforeAll(async () => {
    other = await listening(0);
    taken = (other.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((resolve) => other.close(resolve)));

  test('is the one that was asked for, or none', async () => {
    await expect(PostgresServer.create({ port: taken })).rejects.toThrow(/Address already in use/);
  });

  test('is another one where somebody has taken the first choice', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValueOnce((taken - 20_000 + 0.5) / 12_000);
    const server = await PostgresServer.create();
    random.mockRestore();
    expect(server.log).toContain(`could not create listen socket for "127.0.0.1"`);
    expect(server.port).not.toBe(taken);
    expect(await ask(server.url())).toBe(1);
    await server.remove();
  });
});

describe('kept data', () => {
  const data = (): string => folder.join("dätä, o'b\\x");

  test('are there the next time, with the same password, and not without the disk', async () => {
    const first = await PostgresServer.create({ folder: data() });
    await ask(first.url(), 'CREATE TABLE kept AS SELECT 5 AS n');
    expect(await ask(first.url(), 'SHOW fsync')).toBe('on');
    await first.remove();
    expect(existsSync(data())).toBe(true);

    const second = await PostgresServer.create({ folder: data(), database: 'later' });
    expect(second.password).toBe(first.password);
    expect(await ask(second.url(), 'SELECT n FROM kept')).toBe(5);
    expect(await ask(second.url('later'))).toBe(1);

    await expect(PostgresServer.create({ folder: data() })).rejects.toThrow(
      /lock file "postmaster.pid" already exists/,
    );
    expect(await ask(second.url())).toBe(1);
    await second.remove();

    const third = await PostgresServer.create({ folder: data(), database: 'later' });
    expect(await ask(third.url('later'))).toBe(1);
    await third.remove();
  });

  test('are not made among other things', async () => {
    mkdirSync(folder.join('home'));
    writeFileSync(folder.join('home', 'letter.txt'), '');
    await expect(PostgresServer.create({ folder: folder.join('home') })).rejects.toThrow(
      /home is neither empty nor the data of a PostgreSQL server: name another folder/,
    );
  });

  (ROOT ? describe : describe.skip)('of root', () => {
    test('are not made where nobody cannot go', async () => {
      mkdirSync(folder.join('closed'), { mode: 0o700 });
      await expect(PostgresServer.create({ folder: folder.join('closed', 'data') })).rejects.toThrow(
        `${folder.join('closed')} is closed to user`,
      );
    });
  });
});
