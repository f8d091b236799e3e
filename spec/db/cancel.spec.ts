// Statements that nobody waits for any more are cancelled on the server: cancelOnAbort, and the way the cancel request takes.

import { chown, copyFile, stat } from 'node:fs/promises';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Application, serve, type Serving } from '../../lib/index.ts';
import { Client } from '../../lib/client/index.ts';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { rejection } from '../support/client-and-application.ts';
import { postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

const postgres = postgresServer();
const folder = temporaryFolder();
const FIXTURES = join(process.cwd(), 'spec/db/fixtures'); // a key and its certificate for localhost and 127.0.0.1, until 2126
const ABORTED = { name: 'OperationalError', code: 'ABORTED' };

beforeAll(async () => {
  await serverWithTls();
  const ca = readFileSync(join(FIXTURES, 'server.crt'), 'utf8');
  const tls = { connMaxAge: null, cancelOnAbort: true };
  configureDatabases({
    default: { url: postgres.url(), applicationName: 'app', cancelOnAbort: true },
    without: { url: postgres.url(), applicationName: 'without' },
    pool: { url: postgres.url(), applicationName: 'app', cancelOnAbort: true, pool: true, maxConnections: 1 },
    'unix socket': { url: postgres.server.socketUrl(), cancelOnAbort: true },
    TCP: { url: postgres.url(), cancelOnAbort: true },
    TLS: { ...tls, url: postgres.url(), ssl: { ca } },
    'TLS by its URL': { ...tls, url: `${postgres.url()}?sslmode=require&uselibpqcompat=true` },
    'TLS with a client key': {
      ...tls,
      url: postgres.url(),
      ssl: { ca, key: readFileSync(join(FIXTURES, 'server.key')), cert: ca },
    },
  });
});
afterAll(() => connections.closeAll());

async function serverWithTls(): Promise<void> {
  const { socketFolder } = postgres.server;
  const { uid, gid } = await stat(socketFolder);
  for (const name of ['server.key', 'server.crt']) {
    const file = join(socketFolder, name);
    await copyFile(join(FIXTURES, name), file);
    chmodSync(file, 0o600);
    await chown(file, uid, gid);
    await postgres.admin(`ALTER SYSTEM SET ssl_${name.endsWith('key') ? 'key' : 'cert'}_file = '${file}'`);
  }
  await postgres.admin('ALTER SYSTEM SET ssl = on');
  await postgres.admin('SELECT pg_reload_conf()');
  await postgres.until('it speaks TLS', async () => {
    const [row] = await postgres.admin<{ ssl: string }>('SHOW ssl');
    return row?.ssl === 'on';
  });
}

const sleeping = async () =>
  (await postgres.backends()).filter(({ query, state }) => state === 'active' && query.includes('pg_sleep'));
const runs = () => postgres.until('it runs', async () => (await sleeping()).length === 1);
const gone = () => postgres.until('it is cancelled', async () => (await sleeping()).length === 0);

describe('a request whose client goes away', () => {
  const app = new Application();
  let outcome: Promise<unknown[]> | undefined;
  app.get('/:alias', ({ params }) => {
    const database = connections.get(params['alias'] ?? '');
    outcome = (async () => {
      const first = await rejection(database.query('SELECT pg_sleep(60)', [], { name: 'long' }));
      return [first, await database.query('SELECT 1').catch((error: unknown) => error)];
    })();
    return outcome.then(() => 'answer');
  });
  app.get('/transaction/:alias', ({ params }) => {
    const database = connections.get(params['alias'] ?? '');
    outcome = (async () => [
      await rejection(
        database.transaction(async () => {
          await database.query('SELECT pg_sleep(60)').catch(() => {});
          await database.query('SELECT 1');
        }),
      ),
    ])();
    return outcome.then(() => 'answer');
  });
  let serving: Serving;
  let client: Client;
  beforeAll(async () => {
    serving = await serve(app, { listen: `unix:${folder.join('app.sock')}` });
    client = new Client({ address: `unix:${folder.join('app.sock')}` });
  });
  afterAll(async () => {
    client.destroy();
    await serving.close({ timeout: 0 });
  });

  async function ask(path: string): Promise<() => Promise<void>> {
    const leave = new AbortController();
    const answer = client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: path }, signal: leave.signal });
    const failed = rejection(answer);
    await runs();
    return async () => {
      leave.abort();
      await failed;
    };
  }

  test.each(['default', 'pool'])('leaves nothing running behind it (%s)', async (alias) => {
    const leave = await ask(`/${alias}`);
    const before = performance.now();
    await leave();
    await gone();
    expect(performance.now() - before).toBeLessThan(1000);
    expect(await outcome).toEqual([
      expect.objectContaining({ ...ABORTED, queryName: 'long' }),
      expect.objectContaining(ABORTED),
    ]);
    await postgres.until('its connection is given back', () => connections.stats()[alias]?.inUse === 0);
  });

  test('has its transaction rolled back', async () => {
    await (
      await ask('/transaction/default')
    )();
    expect(await outcome).toEqual([expect.objectContaining(ABORTED)]);
    await postgres.until('nothing is left', async () =>
      (await postgres.backends({ applicationName: 'app' })).every(({ state }) => state === 'idle'),
    );
  });

  test('without the setting lets it run', async () => {
    await (
      await ask('/without')
    )();
    expect(await connections.scope(async () => (await db.query('SELECT pg_sleep(0.3)')).rowCount)).toBe(1);
    const [backend] = await sleeping();
    expect(backend).toMatchObject({ application_name: 'without' });
    await postgres.admin('SELECT pg_cancel_backend($1)', [backend?.pid]);
    expect(await outcome).toEqual([
      expect.objectContaining({ sqlstate: '57014', code: 'REFUSED' }),
      expect.objectContaining({ rowCount: 1 }),
    ]);
  });
});

describe('a scope with a signal', () => {
  test.each(['unix socket', 'TCP', 'TLS', 'TLS by its URL', 'TLS with a client key'])(
    'cancels what runs, by %s',
    async (alias) => {
      const database = connections.get(alias);
      const stop = new AbortController();
      await connections.scope(
        async () => {
          const { rows } = await database.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
          expect(rows).toEqual([{ ssl: alias.startsWith('TLS') }]);
          const before = performance.now();
          const failed = rejection(database.query('SELECT pg_sleep(60)'));
          await runs();
          stop.abort(new Error('enough'));
          expect(await failed).toMatchObject(ABORTED);
          await gone();
          expect(performance.now() - before).toBeLessThan(1900); // after 2 s the connection would be cut
          expect(await rejection(database.query('SELECT 1'))).toMatchObject({ ...ABORTED, cause: stop.signal.reason });
        },
        { signal: stop.signal },
      );
      expect(connections.stats()[alias]).toMatchObject({ open: 0 }); // what was cancelled is not kept
    },
  );

  test.each<[string, () => Promise<unknown>]>([
    [
      'a cursor',
      () =>
        db.transaction(async () => {
          for await (const _ of db.cursor('SELECT pg_sleep(60)'));
        }),
    ],
    [
      'copyTo',
      async () => {
        for await (const _ of db.copyTo('COPY (SELECT pg_sleep(60)) TO STDOUT'));
      },
    ],
    ['copyFrom', () => db.copyFrom("COPY pg_temp.none FROM STDIN WHERE pg_sleep(60)::text = ''", ['1\n'])],
  ])('is what %s fails with', async (kind, work) => {
    const stop = new AbortController();
    const failed = connections.scope(
      async () => {
        if (kind === 'copyFrom') await db.query('CREATE TEMP TABLE none (n int)');
        return rejection(work());
      },
      { signal: stop.signal },
    );
    await postgres.until('it runs', async () =>
      (await postgres.backends({ applicationName: 'app' })).some(
        ({ state, query }) => state === 'active' && /^(?:FETCH|COPY)/.test(query),
      ),
    );
    stop.abort();
    expect(await failed).toMatchObject({ ...ABORTED, cause: { sqlstate: '57014' } });
  });

  test('that waits for a connection is not given one', async () => {
    const database = connections.get('pool');
    const stop = new AbortController();
    let waiting: Promise<Error> | undefined;
    await connections.scope(() =>
      database.transaction(async () => {
        await database.query('SELECT 1');
        waiting = connections.scope(() => rejection(database.query('SELECT pg_sleep(60)')), { signal: stop.signal });
        await postgres.until('it waits', () => connections.stats()['pool']?.waiting === 1);
        stop.abort();
      }),
    );
    expect(await waiting).toMatchObject(ABORTED);
    expect(connections.stats()['pool']).toMatchObject({ inUse: 0, idle: 1 });
  });

  test('leaves no listener on it: a signal may live longer than many scopes', async () => {
    const { signal } = new AbortController();
    const added = jest.spyOn(signal, 'addEventListener');
    const removed = jest.spyOn(signal, 'removeEventListener');
    for (let i = 0; i < 3; i++) await connections.scope(() => db.query('SELECT 1'), { signal });
    expect([added.mock.calls.length, removed.mock.calls.length]).toEqual([3, 3]);
  });

  test('a TLS connection that is kept is closed for good', async () => {
    await connections.scope(() => connections.get('TLS').query('SELECT 1'));
    expect(connections.stats()['TLS']).toMatchObject({ open: 1, idle: 1 });
    const [connection] = connections.get('TLS').store?.connections ?? [];
    await connection?.close();
    await postgres.until('it is closed', () => connections.stats()['TLS']?.open === 0);
    expect((await postgres.backends()).map(({ pid }) => pid)).not.toContain(connection?.backendPid);
  });
});
