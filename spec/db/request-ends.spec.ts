// However a request ends: no connection is in use any more, no transaction is open, no lock is held, and what was not committed is not there.

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ask, commands, get, type Served } from '../commands/served.ts';
import { postgresServer } from '../support/postgres.ts';
import { startNginx, type WebServer } from '../support/web-servers.ts';

const postgres = postgresServer();
const command = commands();

const ALIASES = ['closed', 'kept', 'pool'] as const;
const LATE = 60_000;
let rows = 0;

beforeAll(() => postgres.admin('CREATE TABLE accounts (id int PRIMARY KEY, balance int)'));

/** A row of its own for each test. */
async function account(): Promise<number> {
  const id = (rows += 1);
  await postgres.admin('INSERT INTO accounts VALUES ($1, 0)', [id]);
  return id;
}

async function balance(id: number): Promise<number | undefined> {
  return (await postgres.admin<{ balance: number }>('SELECT balance FROM accounts WHERE id = $1', [id]))[0]?.balance;
}

/** Resolves when a request has changed the row, and not committed. */
async function locked(id: number): Promise<void> {
  await postgres.until(`row ${id} is locked`, async () => {
    const free = await postgres.admin('SELECT FROM accounts WHERE id = $1 FOR UPDATE SKIP LOCKED', [id]);
    return free.length === 0;
  });
}

/** Resolves when nothing of a request is left: at most an idle connection, where they are kept. */
async function clean(alias: string, id: number): Promise<void> {
  const applicationName = `ends-${alias}`;
  await postgres.until('nothing is left of the request', async () => {
    const backends = await postgres.backends({ applicationName });
    const locks = await postgres.admin(
      'SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE application_name = $1',
      [applicationName],
    );
    const fine = alias === 'closed' ? backends.length === 0 : backends.every(({ state }) => state === 'idle');
    return fine && locks.length === 0;
  });
  expect(await postgres.admin('SELECT FROM accounts WHERE id = $1 FOR UPDATE NOWAIT', [id])).toHaveLength(1);
}

async function serve(...args: string[]): Promise<Served> {
  const environ = { DATABASE_URL: postgres.url() };
  return command.serve(join(__dirname, 'programs/request-ends.mjs'), ['--workers', '1', ...args], { environ });
}

const target = (way: string, alias: string, id: number): string => `/end/${way}/${alias}/${id}`;

async function askFor(
  served: Served,
  way: string,
  alias: string,
  id: number,
): Promise<{ status: number; text: string }> {
  const response = await served.client.request({ ...get(target(way, alias, id)), retry: false });
  return { status: response.status, text: await response.text() };
}

/** What a request is answered, or how it fails. */
const outcome = (asked: Promise<{ status: number; text: string }>): Promise<unknown> =>
  asked.then(
    ({ status }) => status,
    (error: { code: string }) => error.code,
  );

describe.each(ALIASES)('%s', (alias) => {
  test('committed, and failed in the handler: by an error, by an HttpError', async () => {
    const served = await serve();
    const id = await account();
    expect(await askFor(served, 'commit', alias, id)).toEqual({ status: 200, text: 'committed' });
    await clean(alias, id);
    expect(await balance(id)).toBe(1);
    expect((await askFor(served, 'handlerError', alias, id)).status).toBe(500);
    await clean(alias, id);
    expect((await askFor(served, 'httpError', alias, id)).status).toBe(409);
    await clean(alias, id);
    expect(await balance(id)).toBe(1);
    expect(served.process.stderr).not.toContain('database:');
  });

  test.each([
    ['loose', 200],
    ['looseStatement', 200],
    ['handlerErrorBeside', 500],
    ['begin', alias === 'pool' ? 500 : 200],
  ])(
    'a transaction that nobody waits for (%s): rolled back, and told',
    async (way, status) => {
      const served = await serve();
      const id = await account();
      expect((await askFor(served, way, alias, id)).status).toBe(status);
      await clean(alias, id);
      expect(await balance(id)).toBe(0);
      if (way !== 'begin' || alias !== 'pool') await served.process.says(/database: a request, or a scope, ended w/);
      // The worker has not died of it.
      const [pid] = await served.pids();
      expect(await askFor(served, 'commit', alias, id)).toEqual({ status: 200, text: 'committed' });
      expect(await served.pids()).toEqual([pid]);
      expect(served.process.stderr).not.toMatch(/outside of any request/);
    },
    LATE,
  );

  test('an error in a streamed body', async () => {
    const served = await serve();
    const id = await account();
    const response = await served.client.request(get(target('streamError', alias, id)));
    expect(response.status).toBe(200);
    await response.text().catch(() => {});
    await clean(alias, id);
    expect(await balance(id)).toBe(0);
    await served.process.says(/database: a request, or a scope, ended w/);
  });

  describe('behind nginx', () => {
    let nginx: WebServer;
    afterEach(() => nginx.stop());

    test.each(['sleep', 'signal'])('the client goes away (%s)', async (way) => {
      const served = await serve();
      nginx = await startNginx({ to: `unix:${served.path}` });
      const id = await account();
      const client = connect(nginx.port, '127.0.0.1');
      client.on('error', () => {});
      client.write(`GET ${target(way, alias, id)} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await locked(id);
      client.destroy();
      await clean(alias, id);
      expect(await balance(id)).toBe(0);
    });

    test('the request takes too long', async () => {
      const served = await serve('--request-timeout', '500');
      nginx = await startNginx({ to: `unix:${served.path}` });
      const id = await account();
      const client = connect(nginx.port, '127.0.0.1').setEncoding('latin1');
      client.write(`GET ${target('sleep', alias, id)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      await locked(id);
      let text = '';
      client.on('data', (piece: string) => (text += piece));
      await once(client, 'close');
      expect(text).toMatch(/^HTTP\/1\.1 504 /);
      await clean(alias, id);
      expect(await balance(id)).toBe(0);
    });
  });

  test('a body that never comes', async () => {
    const served = await serve('--body-timeout', '300');
    const id = await account();
    const params = {
      REQUEST_METHOD: 'POST',
      REQUEST_URI: target('body', alias, id),
      CONTENT_LENGTH: '10',
    };
    let end!: () => void;
    const never = new Promise<void>((resolve) => (end = resolve));
    const stdin = (async function* () {
      yield 'abc';
      await never;
    })();
    const asked = served.client.request({ params, stdin, retry: false });
    await locked(id);
    const response = await asked;
    expect(response.status).toBe(408);
    end();
    await clean(alias, id);
    expect(await balance(id)).toBe(0);
  });

  test('work behind the response has its connection until it is done, or has failed', async () => {
    const served = await serve();
    const [pid = 0] = await served.pids();
    for (const [way, after] of [
      ['waitUntil', 1],
      ['waitUntilFails', 0],
    ] as const) {
      const id = await account();
      expect(await askFor(served, way, alias, id)).toEqual({ status: 200, text: 'later' });
      await locked(id);
      expect((JSON.parse(await ask(served.client, '/stats')) as Record<string, object>)[alias]).toMatchObject({
        inUse: 1,
      });
      process.kill(pid, 'SIGUSR2');
      await clean(alias, id);
      expect(await balance(id)).toBe(after);
    }
  });

  test('a worker that leaves: what ends in time is committed, the rest is rolled back', async () => {
    const served = await serve('--stop-timeout', '3000'); // enough for `held` on a machine that is busy
    const [pid = 0] = await served.pids();
    const [first, second] = [await account(), await account()];
    const held = askFor(served, 'held', alias, first);
    const deaf = outcome(askFor(served, 'deaf', alias, second));
    await Promise.all([locked(first), locked(second)]);
    served.process.signal('SIGTERM');
    process.kill(pid, 'SIGUSR2');
    expect(await held).toEqual({ status: 200, text: 'committed' });
    await deaf;
    await served.process.exited;
    await clean(alias, second);
    expect([await balance(first), await balance(second)]).toEqual([1, 0]);
    expect(await postgres.backends()).toEqual([]);
  });

  test.each(['the worker', 'the arbiter'])('%s is killed', async (who) => {
    const served = await serve('--stop-timeout', '500');
    const [pid = 0] = await served.pids();
    const [first, second] = [await account(), await account()];
    const asked = [outcome(askFor(served, 'deaf', alias, first)), outcome(askFor(served, 'sleep', alias, second))];
    await Promise.all([locked(first), locked(second)]);
    process.kill(who === 'the worker' ? pid : served.process.pid, 'SIGKILL');
    await Promise.all(asked);
    await clean(alias, first);
    await clean(alias, second);
    expect([await balance(first), await balance(second)]).toEqual([0, 0]);
  });

  test('receivers of request_finished still have the request’s connection; it is given back behind them', async () => {
    const served = await serve();
    await served.ask(`/order/${alias}`);
    const seen = await postgres.until('both have been told', async () => {
      const told = JSON.parse(await served.ask('/told')) as { pid: number; inUse?: number }[];
      return told.length === 2 && told;
    });
    expect(seen[1]?.pid).toBe(seen[0]?.pid);
    expect(seen[1]?.inUse).toBe(alias === 'pool' ? 0 : 1);
    await postgres.until('it is given back', async () => {
      const stats = JSON.parse(await served.ask('/stats')) as Record<string, { inUse: number; open: number }>;
      return stats[alias]?.inUse === 0 && stats[alias].open === (alias === 'closed' ? 0 : 1);
    });
  });
});
