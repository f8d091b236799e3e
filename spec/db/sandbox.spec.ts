// connections.sandbox(): tests that leave nothing behind.

import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections, db, type Sandbox } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const other = connections.get('other');
const app = new Application();
let sandbox: Sandbox;

app.post('/:n', async ({ params }) => {
  await db.query('INSERT INTO numbers VALUES ($1)', [params['n']]);
  return `${params['n']} is there`;
});
app.get('/', async () => ({ numbers: await numbers() }));
app.post('/twice/:n', ({ params }) =>
  db.transaction(async () => {
    await db.query('INSERT INTO numbers VALUES ($1)', [params['n']]);
    await db.query('INSERT INTO numbers VALUES ($1)', [params['n']]);
    return 'twice';
  }),
);

beforeAll(async () => {
  const databases = {
    default: { url: postgres.url(), maxConnections: 2, pool: true, acquireTimeout: 200 },
    other: { url: postgres.url(), cancelOnAbort: true },
    wrong: { url: postgres.url('nowhere') },
  };
  configureDatabases(databases, { log: { warn: () => {}, error: () => {} } });
  await postgres.admin('CREATE TABLE numbers (n int PRIMARY KEY)');
});
afterAll(() => connections.closeAll());
beforeEach(() => {
  sandbox = connections.sandbox();
});
afterEach(async () => {
  await sandbox.rollBack();
  const left = [await postgres.admin('SELECT n FROM numbers'), await inTransaction()].flat();
  if (left.length > 0) throw new Error(`it has left ${JSON.stringify(left)}`);
});

const inTransaction = async () => (await postgres.backends()).filter(({ state }) => state !== 'idle');

async function numbers(database = db): Promise<number[]> {
  const { rows } = await database.query<{ n: number }>('SELECT n FROM numbers ORDER BY n');
  return rows.map(({ n }) => n);
}

describe('within a sandbox', () => {
  test.each([1, 2])('requests and scopes see what others have written, and nobody after it: time %i', async () => {
    expect((await app.inject({ method: 'POST', target: '/1' })).status).toBe(200);
    await connections.scope(() => db.query('INSERT INTO numbers VALUES (2)'));
    expect((await app.inject('/')).text()).toBe('{"numbers":[1,2]}');
    expect(await connections.scope(() => numbers())).toEqual([1, 2]);
    expect(await postgres.admin('SELECT n FROM numbers')).toEqual([]);
  });

  test('what fails leaves the others as they are', async () => {
    await app.inject({ method: 'POST', target: '/1' });
    expect((await app.inject({ method: 'POST', target: '/1' })).status).toBe(500);
    expect((await app.inject({ method: 'POST', target: '/twice/2' })).status).toBe(500);
    await connections.scope(async () => {
      await expect(db.query('SELECT 1 / 0')).rejects.toMatchObject({ name: 'DataError', sqlstate: '22012' });
      await expect(db.copyFrom('COPY numbers FROM STDIN', 'x\n')).rejects.toMatchObject({ sqlstate: '22P02' });
      expect(await numbers()).toEqual([1]);
    });
  });

  test('many at once take turns', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        app.inject({ method: 'POST', target: `/${n % 4 === 0 ? 'twice/' : ''}${n}` }),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(30);
    expect(await connections.scope(() => numbers())).toHaveLength(30);
  });

  test('transactions nest and their hooks run when they are done', async () => {
    const done: string[] = [];
    await connections.scope(async () => {
      expect(db.inTransaction).toBe(false);
      await db.transaction(
        async () => {
          expect(db.inTransaction).toBe(true);
          db.onCommit(() => done.push('outer'));
          await db.query('INSERT INTO numbers VALUES (1)');
          await db
            .transaction(async () => {
              db.onCommit(() => done.push('never'));
              await db.query('INSERT INTO numbers VALUES (2)');
              throw new Error('no');
            })
            .catch(() => {});
          await db.transaction(() => db.onCommit(async () => void done.push(`inner ${String(await numbers())}`)));
          expect(done).toEqual([]);
        },
        { isolation: 'serializable', retries: 2 },
      );
      expect(done).toEqual(['outer', 'inner 1']);
      db.onCommit(() => done.push('now'));
      expect(done.at(-1)).toBe('now');
    });
  });

  test('constraints are checked where a transaction would be committed, and not before', async () => {
    await connections.scope(async () => {
      await db.query('CREATE TABLE later (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
      for (const time of [1, 2]) {
        await db.transaction(async () => {
          await db.query('INSERT INTO later VALUES (7), (7)');
          await db.query('DELETE FROM later');
        });
        const twice = db.transaction(() => db.query('INSERT INTO later VALUES (7), (7)'));
        await expect(twice).rejects.toMatchObject({ name: 'IntegrityError', sqlstate: '23505' });
        await expect(db.query('INSERT INTO later VALUES ($1), ($1)', [time])).rejects.toMatchObject({
          sqlstate: '23505',
        });
      }
      expect((await db.query('SELECT n FROM later')).rows).toEqual([]);
    });
  });

  test('a transaction whose failure was caught says that it cannot commit', async () => {
    await connections.scope(async () => {
      const failed = db.transaction(() => db.query('SELECT 1 / 0').catch(() => 'passed over'));
      await expect(failed).rejects.toMatchObject({ name: 'ProgrammingError', code: 'TRANSACTION_ABORTED' });
      expect(await numbers()).toEqual([]);
    });
  });

  test('cursors and COPY work', async () => {
    await connections.scope(async () => {
      expect(await db.copyFrom('COPY numbers FROM STDIN', '1\n2\n3\n')).toBe(3);
      const seen: unknown[] = [];
      const cursor = connections
        .get('other')
        .cursor<{ n: number }>('SELECT generate_series(1, 3) AS n', [], { batch: 2 });
      for await (const { n } of cursor) seen.push(n, await numbers(other));
      expect(seen).toEqual([1, [], 2, [], 3, []]); // another alias is another connection
      const pieces: Buffer[] = [];
      for await (const piece of db.copyTo('COPY numbers TO STDOUT')) pieces.push(piece);
      expect(Buffer.concat(pieces).toString()).toBe('1\n2\n3\n');
    });
  });

  test('each database has a transaction of its own, opened when it is first asked', async () => {
    expect(await inTransaction()).toEqual([]);
    await connections.scope(() => other.query('INSERT INTO numbers VALUES (7)'));
    expect(await connections.scope(() => numbers(other))).toEqual([7]);
    expect(await connections.scope(() => numbers())).toEqual([]);
    expect(await inTransaction()).toHaveLength(2);
  });

  test('a scope that is over stays over', async () => {
    let asked: Promise<unknown> | undefined;
    await connections.scope(() => {
      setTimeout(() => void (asked = numbers().catch((error: unknown) => error)), 1);
    });
    await postgres.until('it has asked', () => asked !== undefined);
    await expect(asked).resolves.toMatchObject({ name: 'InterfaceError', code: 'SCOPE_ENDED' });
  });

  test('there is one at a time', async () => {
    expect(() => connections.sandbox()).toThrow(expect.objectContaining({ name: 'InterfaceError', code: 'SANDBOX' }));
    await sandbox.rollBack();
    await sandbox.rollBack();
    const next = connections.sandbox();
    await sandbox.rollBack(); // which is not the one that is there
    expect(() => connections.sandbox()).toThrow(expect.objectContaining({ code: 'SANDBOX' }));
    await next[Symbol.asyncDispose]();
  });

  test('a database that is not there is said to each who asks', async () => {
    const ask = () => connections.scope(() => connections.get('wrong').query('SELECT 1'));
    await expect(ask()).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
    await expect(ask()).rejects.toMatchObject({ code: 'CONNECT_FAILED' });
  });

  test('a connection that is lost takes the sandbox with it, and the next has another one', async () => {
    await connections.scope(async () => {
      await db.query('INSERT INTO numbers VALUES (1)');
      await expect(db.query('SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
        code: 'CONNECTION_LOST',
      });
      await expect(numbers()).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    });
    await sandbox.rollBack();
    sandbox = connections.sandbox();
    expect(await connections.scope(() => numbers())).toEqual([]);
  });
});

test('without one all is as before', async () => {
  await sandbox.rollBack();
  await connections.scope(() => db.query('INSERT INTO numbers VALUES (1)'));
  expect(await postgres.admin('SELECT n FROM numbers')).toEqual([{ n: 1 }]);
  await postgres.admin('TRUNCATE numbers');
});
