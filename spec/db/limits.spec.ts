// Whether the server has room for all connections that the workers may open: asked once, where the first worker starts.

import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Database } from '../../lib/db/database.ts';
import type { DatabaseSettings } from '../../lib/db/index.ts';
import { checkConnectionLimits } from '../../lib/db/limits.ts';
import { resolveSettings } from '../../lib/db/settings.ts';
import { ask, commands, type Served } from '../commands/served.ts';
import { postgresServer } from '../support/postgres.ts';

const ROOM = 17; // max_connections without those that are kept for superusers
const postgres = postgresServer({ settings: { max_connections: '20', superuser_reserved_connections: '3' } });
const another = postgresServer();
const command = commands();
const METHODS = process.platform === 'linux' ? ['spawn', 'fork'] : ['spawn'];

async function serve(method: string, settings: DatabaseSettings): Promise<Served> {
  const environ = { DB_SETTINGS: JSON.stringify(settings) };
  const args = ['--method', method, '--workers', '3'];
  const served = await command.serve(join(__dirname, 'programs/limits.mjs'), args, { environ });
  await postgres.until('all serve', async () => {
    const { workers } = await served.status();
    return workers.length === 3 && workers.every(({ state }) => state === 'ready');
  });
  return served;
}

const counted = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;

/** The warnings of one check of so many databases, to its end. */
async function warnings(
  workers: number,
  ...databases: DatabaseSettings[]
): Promise<{ fields: object; message: string }[]> {
  const all: { fields: object; message: string }[] = [];
  const log = {
    warn: (fields: object, message: string) => void all.push({ fields, message }),
    error: (_fields: object, message: string) => {
      throw new Error(message);
    },
  };
  const parts = databases.map((settings, at) => {
    const alias = at === 0 ? 'default' : `other${at}`;
    return new Database(alias, () => ({ settings: resolveSettings(alias, settings), log, outside: (fn) => fn() }))
      .parts;
  });
  await checkConnectionLimits(parts, workers);
  return all;
}

test.each(METHODS)('%s: too many are told of once, with what to do', async (method) => {
  const served = await serve(method, { url: postgres.url(), maxConnections: 6 });
  await served.process.says(/may open/);
  expect(served.process.stderr).toMatch(
    /3 workers may open 18 database connections, and the server takes 17 .*Set maxConnections to 5 or less/,
  );
  // A reload is another beginning: the settings may be others. Its line comes behind all that the first three had to say.
  served.process.signal('SIGHUP');
  await served.process.says(/may open[\s\S]*may open/);
  expect(counted(served.process.stderr, /may open/g)).toBe(2);
  await served.process.stop('SIGTERM');
});

test.each(METHODS)('%s: a database that is down is told of once, and the workers serve', async (method) => {
  const { url, port } = await closedPort();
  const served = await serve(method, { url });
  await served.process.says(/the database does not answer/);
  expect(served.process.stderr).toContain(`127.0.0.1:${port}`);
  expect(await ask(served.client, '/')).toMatch(/^\d+$/);
  expect((await served.client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/backend' } })).status).toBe(
    503,
  );
  served.process.signal('SIGHUP');
  await served.process.says(/does not answer[\s\S]*does not answer/);
  expect(counted(served.process.stderr, /does not answer/g)).toBe(2);
  await served.process.stop('SIGTERM');
});

test('as many as there is room for are nothing to tell of, and one more is', async () => {
  const url = postgres.url();
  expect(await warnings(ROOM, { url, maxConnections: 1 })).toEqual([]);
  const [warning, ...others] = await warnings(ROOM + 1, { url, maxConnections: 1 });
  expect(others).toEqual([]);
  expect(warning?.fields).toEqual({ database: 'default', workers: ROOM + 1, maxConnections: 1, room: ROOM });
  await postgres.until('no backend is left', async () => (await postgres.backends()).length === 0);
});

test('databases of one server are summed, whatever way leads to it; those of others are not', async () => {
  const here = { url: postgres.url(), maxConnections: 4 };
  const beside = { url: postgres.server.socketUrl(), maxConnections: 5 };
  expect(await warnings(2, here, { url: another.url(), maxConnections: 5 })).toEqual([]);
  expect(await warnings(1, here, beside)).toEqual([]);
  const [warning, ...others] = await warnings(2, here, beside);
  expect(others).toEqual([]);
  expect(warning?.fields).toEqual({ database: 'default, other1', workers: 2, maxConnections: 9, room: ROOM });
  expect(warning?.message).toContain('Set maxConnections to 4 or less for each of default, other1');
});

test('behind a pooler nothing is asked', async () => {
  let asked = 0;
  const server = createServer((socket) => {
    asked++;
    socket.on('error', () => {}).destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  try {
    for (const pooler of ['session', 'transaction'] as const) expect(await warnings(1000, { url, pooler })).toEqual([]);
    expect(asked).toBe(0);
    expect(await warnings(1000, { url })).toHaveLength(1); // it would have been seen
    expect(asked).toBe(1);
  } finally {
    server.close();
  }
});

/** Where nobody listens. */
async function closedPort(): Promise<{ url: string; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { url: `postgres://postgres@127.0.0.1:${port}/postgres`, port };
}
