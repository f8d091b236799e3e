// The legacy connection's life with a real PostgreSQL, on each driver that reads like a blocking one.

import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findNative } from '../../../lib/lab/run/native.ts';
import { connectBy } from '../../../lib/lab/site/drivers/index.ts';
import type { Driver } from '../../../lib/lab/result.ts';
import { postgresServer } from '../../support/postgres.ts';
import { SpecProcess } from '../../support/process.ts';
import { isRunning } from '../../support/processes.ts';
import { legacyConnections, specJournal, unread } from './legacy-connections.ts';

const DRIVERS = join(__dirname, '../../../dist/lab/site/drivers/index.js');
const PID = 'SELECT pg_backend_pid() AS pid';
const postgres = postgresServer();
const journal = specJournal();
const native = findNative(process.cwd());

const serverPort = (): number => Number(new URL(postgres.url()).port);

/** Resolves when the server has none of its clients any more. */
const nobody = (): Promise<unknown> =>
  postgres.until('the end of all sessions', async () => (await postgres.backends()).length === 0);
afterEach(nobody); // behind those that end connections

/** End an idle session as an administrator does; resolves when its process is gone, and what it has said is there. */
async function terminate(pid: number, port?: number): Promise<void> {
  await postgres.admin('SELECT pg_terminate_backend($1)', [pid]);
  await postgres.until('the end of the session', async () =>
    (await postgres.backends()).every((one) => one.pid !== pid),
  );
  if (port !== undefined) await postgres.until('its last words', () => unread(port, serverPort()) > 1);
}

const patient: readonly Driver[] = native === undefined ? ['pg'] : ['pg', 'pg-native'];

describe.each(patient)('on %s', (driver) => {
  // libpq has its own words, whatever the server has said.
  const ENDED =
    driver === 'pg'
      ? /terminating connection due to administrator command/
      : /^server closed the connection unexpectedly/;
  const connection = legacyConnections(journal, driver, native);

  test('it connects at its first query, has one session, and ends it when it is closed', async () => {
    const legacy = connection(postgres.url());
    expect(await postgres.backends()).toEqual([]);
    expect(legacy.held).toBeUndefined();
    const [first] = await legacy.query(PID, []);
    const [second] = await legacy.query(PID, []);
    expect(second).toEqual(first);
    expect((await postgres.backends()).map(({ pid }) => String(pid))).toEqual([first?.['pid']]);
    await legacy.close(7);
    expect(legacy.held).toBeUndefined();
    await nobody();
    const [third] = await legacy.query(PID, []);
    expect(third).not.toEqual(first);
  });

  test('what it does is in its journal: connections by number, with the port of their socket', async () => {
    const legacy = connection(postgres.url());
    await legacy.query('SELECT 1', []);
    await legacy.close(1);
    await legacy.query('SELECT 1', [], 2);
    const [{ port } = { port: 0 }] = await postgres.admin<{ port: number }>(
      `SELECT client_port AS port FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY backend_start DESC`,
    );
    const lines = journal.lines();
    const [one, two] = lines.filter(({ event }) => event === 'open');
    expect(one?.connection).toMatch(new RegExp(`^${process.pid}-\\d+$`));
    expect(one?.port).toBeGreaterThan(0);
    expect(two?.port).toBe(port);
    expect(legacy.held).toBe(two?.connection);
    expect(two?.connection).not.toBe(one?.connection);
    expect(lines.map(({ event, connection: id, request }) => [event, id, request])).toEqual([
      ['open', one?.connection, undefined],
      ['query', one?.connection, undefined],
      ['close', one?.connection, 1],
      ['open', two?.connection, 2],
      ['query', two?.connection, 2],
    ]);
    expect(lines.every(({ pid }) => pid === process.pid)).toBe(true);
  });

  test('closing what is not open is nothing, also twice, also strictly', async () => {
    for (const strictClose of [true, false]) {
      const legacy = connection(postgres.url(), { strictClose });
      await legacy.close();
      await legacy.query('SELECT 1', []);
      await legacy.close();
      await legacy.close();
    }
    expect(journal.events()).toBe('open query close open query close');
  });

  test('values are text, null is null, and parameters are quoted', async () => {
    const legacy = connection(postgres.url());
    const sql = `SELECT 42 AS int, true AS bool, null AS nothing, 1.5::numeric AS num, $1 || '!' AS text, $2 + 1 AS sum`;
    expect(await legacy.query(sql, [`it's a "\\n" $2`, 6])).toEqual([
      { int: '42', bool: 't', nothing: null, num: '1.5', text: `it's a "\\n" $2!`, sum: '7' },
    ]);
    expect(await legacy.query('SELECT 1 WHERE false', [])).toEqual([]);
  });

  test('a long answer is read whole', async () => {
    const rows = await connection(postgres.url()).query(
      `SELECT repeat('x', 1000) AS x FROM generate_series(1, 1000)`,
      [],
    );
    expect(rows).toHaveLength(1000);
    expect(rows.every(({ x }) => x?.length === 1000)).toBe(true);
  });

  test('queries at a time are one after the other, on one session', async () => {
    const legacy = connection(postgres.url());
    const many = Array.from({ length: 5 }, (_, at) => legacy.query('SELECT $1 AS n, pg_backend_pid() AS pid', [at]));
    const rows = (await Promise.all(many)).map(([row]) => row);
    expect(rows.map((row) => row?.['n'])).toEqual(['0', '1', '2', '3', '4']);
    expect(new Set(rows.map((row) => row?.['pid'])).size).toBe(1);
  });

  test('what the server answers with an error is an OperationalError, and the connection goes on', async () => {
    const legacy = connection(postgres.url(), { strictClose: true });
    const [first] = await legacy.query(PID, []);
    await expect(legacy.query('SELECT nope', [], 3)).rejects.toMatchObject({
      name: 'OperationalError',
      message: expect.stringContaining('column "nope" does not exist') as string,
    });
    expect(journal.lines().at(-1)).toMatchObject({
      event: 'error',
      request: 3,
      error: expect.stringMatching(/^OperationalError: .*column "nope" does not exist/) as string,
    });
    expect(await legacy.query(PID, [])).toEqual([first]);
    await legacy.close();
  });

  test('where it cannot connect it says so, and tries again at the next query', async () => {
    const legacy = connection(postgres.url('nowhere'), { strictClose: true });
    for (const request of [1, 2]) {
      await expect(legacy.query('SELECT 1', [], request)).rejects.toMatchObject({
        name: 'OperationalError',
        message: expect.stringContaining('database "nowhere" does not exist') as string,
      });
    }
    await legacy.close();
    expect(journal.events()).toBe('error error');
  });

  describe('whose session was ended while it was idle', () => {
    const lost = async (strictClose: boolean): Promise<ReturnType<typeof connection>> => {
      const legacy = connection(postgres.url(), { strictClose });
      const [row] = await legacy.query(PID, []);
      await terminate(Number(row?.['pid']), journal.lines()[0]?.port);
      return legacy;
    };

    test('what the server has said stays in the kernel until the next query, which fails of it', async () => {
      const legacy = await lost(false);
      const port = journal.lines()[0]?.port as number;
      await new Promise((resolve) => setTimeout(resolve, 50)); // many turns of the event loop
      expect(unread(port, serverPort())).toBeGreaterThan(50); // the FATAL, and the end
      await expect(legacy.query('SELECT 1', [])).rejects.toMatchObject({
        name: 'OperationalError',
        code: 'CONNECTION_LOST',
        message: expect.stringMatching(ENDED) as string,
      });
    });

    test('it is not known to be closed: closing it is no error, not even strictly', async () => {
      const legacy = await lost(true);
      await legacy.close();
      expect(await legacy.query('SELECT 1 AS n', [])).toEqual([{ n: '1' }]);
    });

    test('lenient: after the query that fails of it, closing it lets it pass, and the next query connects', async () => {
      const legacy = await lost(false);
      await expect(legacy.query('SELECT 1', [])).rejects.toThrow(ENDED);
      await legacy.close();
      expect(await legacy.query('SELECT 1 AS n', [])).toEqual([{ n: '1' }]);
      expect(journal.events()).toBe('open query query error close open query');
    });

    test('strict: closing it is an InterfaceError, and it stays dead for good', async () => {
      const legacy = await lost(true);
      await expect(legacy.query('SELECT 1', [])).rejects.toThrow(ENDED);
      const closed = { name: 'InterfaceError', message: 'connection already closed' };
      for (const request of [1, 2, 3]) {
        await expect(legacy.close(request)).rejects.toMatchObject(closed);
        await expect(legacy.query('SELECT 1', [], request)).rejects.toMatchObject(closed);
      }
      expect(legacy.held).toBe(journal.lines()[0]?.connection);
      expect(journal.events()).toBe(`open query query error${' error'.repeat(6)}`);
      expect(await postgres.backends()).toEqual([]);
    });

    test('without a close in between the next query is an InterfaceError', async () => {
      const legacy = await lost(false);
      await expect(legacy.query('SELECT 1', [])).rejects.toThrow(ENDED);
      await expect(legacy.query('SELECT 1', [])).rejects.toMatchObject({ name: 'InterfaceError' });
    });
  });
});

// libpq's driver waits in its calls: nobody could end them from this process.
describe('on pg', () => {
  const connection = legacyConnections(journal, 'pg');

  test('an error whose ReadyForQuery comes later does not stop the next query', async () => {
    const proxy = createServer((client) => {
      const server = connect(serverPort(), '127.0.0.1');
      client.pipe(server).on('data', (chunk: Buffer) => {
        const [now, later] = chunk.at(-6) === 0x5a ? [chunk.subarray(0, -6), chunk.subarray(-6)] : [chunk, undefined];
        if (now.length > 0) client.write(now);
        if (later !== undefined) setTimeout(() => client.write(later), 20); // a piece of its own
      });
      for (const socket of [client, server]) socket.on('error', () => {}).on('close', () => server.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const url = new URL(postgres.url());
    url.port = String((proxy.address() as AddressInfo).port);
    const legacy = connection(url.href);
    await expect(legacy.query('SELECT nope', [])).rejects.toThrow('does not exist');
    expect(await legacy.query('SELECT 1 AS n', [])).toEqual([{ n: '1' }]);
    await legacy.close();
    await new Promise((resolve) => proxy.close(resolve));
  });

  test('whose session is ended in a query fails of it at once', async () => {
    const legacy = connection(postgres.url(), { strictClose: true });
    const [row] = await legacy.query(PID, []);
    const asleep = legacy.query('SELECT pg_sleep(60)', []);
    await postgres.until('its sleep', async () => (await postgres.backends()).some(({ query }) => /sleep/.test(query)));
    await Promise.all([
      expect(asleep).rejects.toThrow('terminating connection due to administrator command'),
      terminate(Number(row?.['pid'])),
    ]);
    await expect(legacy.close()).rejects.toMatchObject({ name: 'InterfaceError' });
  });
});

describe('an idle process whose session is ended', () => {
  const idle = async (driver: Driver): Promise<{ process: SpecProcess; backend: number; port: number }> => {
    const started = new SpecProcess(process.execPath, [
      join(__dirname, 'programs/idle.mjs'),
      DRIVERS,
      driver,
      postgres.url(),
    ]);
    processes.push(started);
    const [, backend, port] = await started.says(/^backend (\d+) port (\d+)\n/, 'stdout');
    return { process: started, backend: Number(backend), port: Number(port) };
  };
  const processes: SpecProcess[] = [];
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((started) => started.stop('SIGKILL')));
  });

  test('reads nothing of it, and lives on to its next query', async () => {
    const { process: started, backend, port } = await idle('pg');
    await terminate(backend, port);
    expect(isRunning(started.pid)).toBe(true);
    started.signal('SIGTERM');
    expect(await started.finished).toEqual({ code: 0, signal: null });
    expect(started.stdout).toContain('at its next query: terminating connection due to administrator command\n');
    expect(started.stderr).toBe('');
  });

  test('on pg as it comes reads it, and dies of it', async () => {
    const { process: started, backend } = await idle('pg-plain');
    await terminate(backend);
    expect((await started.finished).code).toBe(1);
    expect(started.stderr).toMatch(/Unhandled 'error' event[^]*terminating connection due to administrator command/);
  });
});

test('pg-native without its file is refused', () => {
  expect(() => connectBy('pg-native', undefined)).toThrow(new TypeError('pg-native: its file is not given'));
});

const whereNativeIs = native === undefined ? describe.skip : describe;

whereNativeIs('on pg-native', () => {
  test('a connection that is closed may be collected at once', async () => {
    const program = join(__dirname, 'programs/collected.mjs');
    const words = ['--expose-gc', program, DRIVERS, postgres.url(), native as string];
    const collected = new SpecProcess(process.execPath, words);
    expect(await collected.finished).toEqual({ code: 0, signal: null });
    expect(collected.stdout).toBe('done\n');
  });
});
