// What ends each wait for a server that does not answer any more: nothing waits without bound where a bound is set.

import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { configureDatabases, connections, type Database } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const onLinux = process.platform === 'linux' ? describe : describe.skip;

/** What a connection says from the server, until it is silent for good: as long as the server is stopped, or the network is gone. */
type Passes = (toServer: Buffer | undefined, toClient: Buffer | undefined) => number;

const sockets = new Set<Socket>();
const servers: Server[] = [];

/** A way to the server. `passes`: how many bytes get through; fewer than there are, and nothing does on this connection from then on. */
async function way(passes: Passes): Promise<string> {
  const url = new URL(postgres.url());
  const port = Number(url.port);
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    let silent = false;
    const carry = (to: Socket, data: Buffer, count: number): void => {
      if (silent) return;
      silent = count < data.length;
      to.write(data.subarray(0, count));
    };
    client.on('data', (data) => carry(upstream, data, passes(data, undefined)));
    upstream.on('data', (data) => carry(client, data, passes(undefined, data)));
    for (const socket of [client, upstream]) {
      sockets.add(socket.on('error', () => {}));
      socket.on('close', () => [client, upstream].forEach((one) => one.destroy()));
    }
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.port = String((server.address() as AddressInfo).port);
  return url.href;
}

/** Silent from the statement on that has this word. */
const until = (word: string): Promise<string> =>
  way((toServer, toClient) => (toServer?.includes(word) === true ? 0 : (toServer ?? toClient)?.length) ?? 0);
/** Silent behind an error: ReadyForQuery, in the same piece or in one of its own, does not come. */
const untilReady = (): Promise<string> => {
  let failed = false;
  return way((toServer, toClient) => {
    if (toClient === undefined) return toServer?.length ?? 0;
    if (failed) return 0;
    failed = toClient.includes('division by zero');
    const ready = failed ? toClient.lastIndexOf(READY_FOR_QUERY) : -1;
    return ready < 0 ? toClient.length : ready;
  });
};

const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5]); // its type and length
const WORDS = ['BEGIN', 'SAVEPOINT', 'COMMIT', 'DECLARE', 'FETCH'];

beforeAll(async () => {
  const silent = await Promise.all(
    WORDS.map(async (word) => [word, { url: await until(word), queryTimeout: 100 }] as const),
  );
  const log = { warn: () => {}, error: () => {} };
  configureDatabases(
    {
      ...Object.fromEntries(silent),
      default: { url: postgres.url(), applicationName: 'app', connMaxAge: null },
      bounded: { url: postgres.url(), queryTimeout: 100 },
      error: { url: await untilReady() },
    },
    { log },
  );
});
afterAll(async () => {
  await connections.closeAll();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

async function useAll(database: Database): Promise<void> {
  await database.transaction(async () => {
    await database.transaction(() => database.query('SELECT 1'));
    for await (const _ of database.cursor('SELECT 1'));
  });
}

describe('a server that is silent from one statement on', () => {
  test.each(WORDS)('%s: queryTimeout is the end of it', async (word) => {
    const failed = await rejection(connections.scope(() => useAll(connections.get(word))));
    const code = word === 'COMMIT' ? 'COMMIT_UNKNOWN' : 'QUERY_TIMEOUT';
    expect(failed).toMatchObject({ name: 'OperationalError', code });
    expect(connections.stats()[word]).toMatchObject({ open: 0, inUse: 0 });
  });

  test('behind an error: the end of the scope is the end of it', async () => {
    const database = connections.get('error');
    let failed: Promise<Error> | undefined;
    await connections.scope(async () => {
      failed = rejection(database.query('SELECT 1 / 0'));
      await postgres.until('the server is done', async () =>
        (await postgres.backends()).some(({ query, state }) => query === 'SELECT 1 / 0' && state === 'idle'),
      );
    });
    expect(await failed).toMatchObject({ name: 'DataError', sqlstate: '22012' });
    expect(connections.stats()['error']).toMatchObject({ open: 0, inUse: 0 });
  });
});

test('a cursor is bounded by queryTimeout, each batch of it', async () => {
  const database = connections.get('bounded');
  const failed = await rejection(
    connections.scope(() =>
      database.transaction(async () => {
        for await (const _ of database.cursor('SELECT pg_sleep(60)'));
      }),
    ),
  );
  expect(failed).toMatchObject({ name: 'OperationalError', code: 'QUERY_TIMEOUT' });
});

test('a statement may have a bound of its own, or none', async () => {
  const database = connections.get('bounded');
  await connections.scope(async () => {
    expect((await database.query('SELECT pg_sleep(0.3)', [], { timeout: 0 })).rowCount).toBe(1);
    const failed = await rejection(connections.get('default').query('SELECT pg_sleep(60)', [], { timeout: 50 }));
    expect(failed).toMatchObject({ name: 'OperationalError', code: 'QUERY_TIMEOUT' });
    for (const timeout of [-1, NaN, 2 ** 31]) {
      expect(await rejection(database.query('SELECT 1', [], { timeout }))).toBeInstanceOf(TypeError);
    }
  });
});

onLinux('a connection on which nothing is said', () => {
  test('TCP asks behind a minute whether the server is there', async () => {
    const left = await connections.scope(async () => {
      const { rows } = await connections.get('default').query<{ port: number }>('SELECT inet_client_port() AS port');
      return keepAliveOf(rows[0]?.port as number);
    });
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60);
  });
});

/** Seconds until the socket with this port asks (proc_pid_net(5); the timer 02 is that of keepalive, in ticks of 10 ms). */
function keepAliveOf(port: number): number | undefined {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const [, address = '', , , , timer = ''] = line.trim().split(/\s+/);
    if (address.endsWith(local) && timer.startsWith('02:')) return parseInt(timer.slice(3), 16) / 100;
  }
  return undefined;
}

test('a named statement whose result is another one since ALTER TABLE fails once on a kept connection, not for ever', async () => {
  await postgres.admin('CREATE TABLE altered (a int)');
  const ask = () =>
    connections.scope(() => connections.get('default').query('SELECT * FROM altered', [], { name: 'all altered' }));
  await ask();
  await postgres.admin('ALTER TABLE altered ADD COLUMN b int');
  expect(await rejection(ask())).toMatchObject({ sqlstate: '0A000' });
  expect((await ask()).fields.map(({ name }) => name)).toEqual(['a', 'b']);
});

test('a connection is not kept to a server that only reads, which another one may have taken the place of', async () => {
  const query = (text: string) => connections.scope(() => connections.get('default').query(text));
  const pid = async (): Promise<unknown> => (await query('SELECT pg_backend_pid() AS pid')).rows[0]?.['pid'];
  await postgres.admin('CREATE TABLE written (n int)');
  const before = await pid();
  expect(await pid()).toBe(before);
  const refused = 'BEGIN READ ONLY; INSERT INTO written VALUES (1)';
  expect(await rejection(query(refused))).toMatchObject({ sqlstate: '25006' });
  expect(await pid()).not.toBe(before);
});

test('a named statement whose parameters cannot be written does not spoil it for who uses the connection next', async () => {
  const query = (value: unknown) => connections.get('default').query('SELECT $1::json AS j', [value], { name: 'json' });
  const circular: { self?: unknown } = {};
  circular.self = circular;
  for (const _ of ['not yet prepared', 'prepared']) {
    const failed = await rejection(connections.scope(() => query(circular)));
    expect(failed).toMatchObject({ name: 'ProgrammingError', code: 'REFUSED' });
    expect((await connections.scope(() => query('{}'))).rows).toEqual([{ j: {} }]);
  }
});
