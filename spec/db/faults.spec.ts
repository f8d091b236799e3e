// Databases that go away: which requests notice, and what they are told. An error that nobody owns fails the test it comes in: jest sees to it.

import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { got_request_exception } from '../../lib/signals/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const silent = new Set<Socket>();
let blackHole: Server;

beforeAll(async () => {
  blackHole = createServer((socket) => void silent.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => blackHole.listen(0, '127.0.0.1', resolve));
  const { port } = blackHole.address() as AddressInfo;
  const url = postgres.url();
  configureDatabases({
    default: { url, applicationName: 'app', connMaxAge: null },
    fresh: { url, applicationName: 'fresh' },
    pool: { url, applicationName: 'pool', pool: true, maxConnections: 2 },
    bounded: { url, applicationName: 'bounded', connMaxAge: null, queryTimeout: 100 },
    silent: { url: `postgres://user@127.0.0.1:${port}/database`, connectTimeout: 100 },
    refusing: { url: 'postgres://user@127.0.0.1:1/database' },
    password: { url: postgres.url().replace(/:[^:@]*@/, ':wrong@') },
  });
});
afterAll(async () => {
  await connections.closeAll();
  for (const socket of silent) socket.destroy();
  await new Promise((resolve) => blackHole.close(resolve));
});

const LOST = { name: 'OperationalError', code: 'CONNECTION_LOST' };
const pidOf = async (alias = 'default') =>
  (await connections.get(alias).query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid as number;
const terminate = (pid: number) => postgres.admin('SELECT pg_terminate_backend($1)', [pid]);
const sleeping = async () =>
  (await postgres.backends()).filter(({ query, state }) => state === 'active' && query.includes('pg_sleep'));
const aliases = ['default', 'fresh', 'pool'];

describe.each(aliases)('a backend that is terminated (%s)', (alias) => {
  const database = () => connections.get(alias);

  test('in a query: that one fails, in the words of the server, the next works', async () => {
    await connections.scope(async () => {
      const asked = rejection(database().query('SELECT pg_sleep(60)', [], { name: 'long' }));
      const [backend] = await postgres.until('it runs', async () => {
        const all = await sleeping();
        return all.length > 0 && all;
      });
      await terminate(backend?.pid as number);
      const error = await asked;
      expect(error).toMatchObject({ ...LOST, sqlstate: '57P01', queryName: 'long' });
      expect(error.message).toBe('terminating connection due to administrator command');
      expect((await database().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
    expect(connections.stats()[alias]).toMatchObject({ inUse: 0 });
  });

  test('in a transaction: that fails, and is tried as a whole or not at all', async () => {
    await connections.scope(async () => {
      const error = await rejection(
        database().transaction(async () => {
          const pid = await pidOf(alias);
          await terminate(pid);
          await database().query('SELECT 2');
        }),
      );
      expect(error).toMatchObject(LOST);
      expect((await database().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });

  test('in a transaction, between two statements: it fails, and it is known not to be committed', async () => {
    await connections.scope(async () => {
      const error = await rejection(
        database().transaction(async () => {
          const pid = await pidOf(alias);
          const { closed } = connections.stats()[alias] ?? {};
          await terminate(pid);
          await postgres.until('its end is seen', () => connections.stats()[alias]?.closed === (closed ?? 0) + 1);
        }),
      );
      expect(error).toMatchObject({ ...LOST, message: 'server closed the connection unexpectedly' });
      expect((await database().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });

  test('in a transaction that is given up by then: nothing is lost with it, and the next statement works', async () => {
    await connections.scope(async () => {
      const given = new Error('given up');
      const error = await rejection(
        database().transaction(async () => {
          const { closed } = connections.stats()[alias] ?? {};
          await terminate(await pidOf(alias));
          await postgres.until('its end is seen', () => connections.stats()[alias]?.closed === (closed ?? 0) + 1);
          throw given;
        }),
      );
      expect(error).toBe(given);
      expect((await database().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });

  test('in COPY', async () => {
    await connections.scope(async () => {
      const pieces = (async () => {
        for await (const _ of database().copyTo(
          'COPY (SELECT pg_sleep(0.1), n FROM generate_series(1, 1000) n) TO STDOUT',
        ));
      })();
      const [backend] = await postgres.until('it runs', async () => {
        const all = await sleeping();
        return all.length > 0 && all;
      });
      await terminate(backend?.pid as number);
      expect(await rejection(pieces)).toMatchObject(LOST);
      expect((await database().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });
});

test('a backend that is terminated while idle in a request is replaced, and nobody notices', async () => {
  await connections.scope(async () => {
    const first = await pidOf();
    const { closed } = connections.stats()['default'] ?? {};
    await terminate(first);
    await postgres.until('its end is seen', () => connections.stats()['default']?.closed === (closed ?? 0) + 1);
    expect(await pidOf()).not.toBe(first);
  });
});

describe('a server that goes away', () => {
  const app = new Application();
  app.get('/slow', async () => {
    await db.query('SELECT pg_sleep(60)');
    return 'not reached';
  });
  app.get('/transaction', () =>
    db.transaction(async () => {
      await db.query('SELECT 1');
      await db.query('SELECT pg_sleep(60)');
      return 'not reached';
    }),
  );
  app.get('/', async () => JSON.stringify((await db.query('SELECT 1 AS n')).rows));
  const failures: unknown[] = [];
  const hear = ({ error }: { error: unknown }): void => void failures.push(error);
  beforeAll(() => got_request_exception.connect(hear, { sender: app }));
  afterAll(() => got_request_exception.disconnect(hear, { sender: app }));

  test.each([
    ['restarted', () => postgres.server.restart('fast')],
    ['restarted after a crash', () => postgres.server.restart('immediate')],
    [
      'killed and started',
      async () => {
        await postgres.server.kill();
        await postgres.server.start();
      },
    ],
  ])(
    '%s: the requests in flight fail, the next work',
    async (_, act) => {
      failures.splice(0);
      for (const _again of [1, 2]) expect((await app.inject('/')).text()).toBe('[{"n":1}]');
      const inFlight = ['/slow', '/slow', '/transaction'].map((path) => app.inject(path));
      await postgres.until('they run', async () => (await sleeping()).length === 3);
      await act();
      expect((await Promise.all(inFlight)).map(({ status }) => status)).toEqual([503, 503, 503]);
      expect(failures).toEqual([1, 2, 3].map(() => expect.objectContaining(LOST)));
      const next = await Promise.all([1, 2, 3, 4].map(() => app.inject('/')));
      expect(next.map((response) => response.text())).toEqual([1, 2, 3, 4].map(() => '[{"n":1}]'));
      expect(connections.stats()['default']).toMatchObject({ waiting: 0 });
    },
    30_000,
  );

  test('and is not there: each request is told at once, and the next one after its start works', async () => {
    await postgres.server.stop('fast');
    try {
      const errors = await Promise.all([1, 2, 3].map(() => rejection(connections.scope(() => db.query('SELECT 1')))));
      for (const error of errors) expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED' });
    } finally {
      await postgres.server.start();
    }
    expect((await app.inject('/')).status).toBe(200);
  }, 30_000);
});

describe('queryTimeout', () => {
  const bounded = () => connections.get('bounded');

  test('ends the statement, here and on the server', async () => {
    await connections.scope(async () => {
      const error = await rejection(bounded().query('SELECT pg_sleep(60)', [], { name: 'long' }));
      expect(error).toMatchObject({ name: 'OperationalError', code: 'QUERY_TIMEOUT', queryName: 'long' });
      expect(await sleeping()).toEqual([]);
      expect((await bounded().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    });
  });

  test('a cancel never hits the next statement', async () => {
    let expired = 0;
    for (let i = 0; i < 15; i++) {
      await connections.scope(async () => {
        await bounded()
          .query('SELECT pg_sleep(0.1)') // about as long as the bound
          .catch((error: { code?: string }) => {
            if (error.code !== 'QUERY_TIMEOUT') throw error;
            expired++;
          });
        for (let j = 0; j < 3; j++) expect((await bounded().query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
      });
    }
    expect(expired).toBeGreaterThan(0);
  });

  test('a server that does not take the cancel is cut off', async () => {
    const error = await connections.scope(async () => {
      const pid = await pidOf('bounded');
      process.kill(pid, 'SIGSTOP');
      try {
        const before = performance.now();
        const failed = await rejection(bounded().query('SELECT 1'));
        expect(performance.now() - before).toBeLessThan(4000); // 0.1 s to answer, 2 s to be cancelled
        expect(await pidOf('bounded')).not.toBe(pid);
        return failed;
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    });
    expect(error).toMatchObject({ name: 'OperationalError', code: 'QUERY_TIMEOUT' });
  }, 10_000);
});

describe('a connection that cannot be made', () => {
  test.each([
    ['silent', /^no connection to 127\.0\.0\.1:\d+ in time/],
    ['refusing', /^no connection to 127\.0\.0\.1:1: .*ECONNREFUSED/],
    ['password', /^no connection to 127\.0\.0\.1:\d+: password authentication failed/],
  ])('%s', async (alias, message) => {
    const error = await rejection(connections.scope(() => connections.get(alias).query('SELECT 1')));
    expect(error).toMatchObject({ name: 'OperationalError', code: 'CONNECT_FAILED' });
    expect(error.message).toMatch(message);
    expect(connections.stats()[alias]).toMatchObject({ open: 0, waiting: 0 });
  });
});
