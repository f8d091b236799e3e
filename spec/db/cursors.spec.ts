// Cursors: large results, some rows at a time.

import { configureDatabases, connections, db, type Database } from '../../lib/db/index.ts';
import { collectGarbage } from '../support/garbage.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(async () => {
  configureDatabases({
    default: { url: postgres.url(), applicationName: 'app' },
    pool: { url: postgres.url(), pool: true },
  });
  await postgres.admin('CREATE SEQUENCE made; CREATE TABLE notes (id int)');
});
afterAll(() => connections.closeAll());

type Row = { n: number };
const open = async () => (await db.query('SELECT name FROM pg_cursors')).rows;
const inBoth = describe.each<[string, <T>(fn: () => Promise<T>, database?: Database) => Promise<T>]>([
  ['outside of a transaction', (fn) => connections.scope(fn)],
  ['in a transaction', (fn, database = db) => connections.scope(() => database.transaction(fn))],
]);

inBoth('%s', (_, within) => {
  test('gives 100,000 rows in order, some at a time', async () => {
    await within(async () => {
      let next = 1;
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series(1, 100000) n', [], { batch: 5000 })) {
        if (n !== next++) throw new Error(`${n} is not ${next - 1}`);
      }
      expect(next).toBe(100_001);
      expect(await open()).toEqual([]);
    });
  });

  test('takes parameters, and closes on the server at its end', async () => {
    await within(async () => {
      const found: number[] = [];
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series($1::int, $2) n', [3, 7], { batch: 2 })) {
        found.push(n);
        expect(await open()).toHaveLength(1);
      }
      expect(found).toEqual([3, 4, 5, 6, 7]);
      expect(await open()).toEqual([]);
    });
  });

  test.each([0, 1, 2, 3])('gives %i rows with a batch of two', async (count) => {
    await within(async () => {
      const found: number[] = [];
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series(1, $1::int) n', [count], { batch: 2 })) {
        found.push(n);
      }
      expect(found).toHaveLength(count);
    });
  });

  test('ended early, or by an error, it is closed on the server', async () => {
    await within(async () => {
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series(1, 1000) n')) if (n === 3) break;
      expect(await open()).toEqual([]);
      const thrown = (async () => {
        for await (const row of db.cursor<Row>('SELECT n FROM generate_series(1, 1000) n'))
          throw new Error(`at ${row.n}`);
      })();
      await expect(thrown).rejects.toThrow('at 1');
      expect(await open()).toEqual([]);
    });
  });

  test('other statements run between the rows, and another cursor too', async () => {
    await within(async () => {
      const found: number[] = [];
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series(1, 3) n', [], { batch: 1 })) {
        await db.query('INSERT INTO notes VALUES ($1)', [n]);
        for await (const inner of db.cursor<Row>('SELECT n FROM generate_series(1, 2) n', [], { batch: 1 })) {
          found.push(10 * n + inner.n);
        }
      }
      expect(found).toEqual([11, 12, 21, 22, 31, 32]);
    });
  });

  test('its connection lost between two batches is an OperationalError, and no other connection goes on', async () => {
    const found: number[] = [];
    const lost = within(async () => {
      for await (const { n } of db.cursor<Row>('SELECT n FROM generate_series(1, 10) n', [], { batch: 2 })) {
        found.push(n);
        if (n !== 2) continue;
        await postgres.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'app'");
        await postgres.until('it is lost', () => connections.stats()['default']?.open === 0);
      }
    });
    await expect(lost).rejects.toMatchObject({ name: 'OperationalError', code: 'CONNECTION_LOST' });
    expect(found).toEqual([1, 2]);
  });
});

test('in a transaction rows are made as they are fetched: one batch, and no more', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      await postgres.admin("SELECT setval('made', 1, false)");
      const made = async () => (await postgres.admin<{ n: number }>('SELECT last_value::int AS n FROM made'))[0]?.n;
      let row = 0;
      const seen: unknown[] = [];
      for await (const _ of db.cursor("SELECT nextval('made') FROM generate_series(1, 100000)", [], { batch: 100 })) {
        row++;
        if (row === 1 || row === 100 || row === 101) seen.push(await made());
        if (row === 150) break;
      }
      expect([...seen, await made()]).toEqual([100, 100, 200, 200]);
    }),
  );
});

test('100,000 rows of 1 kB take no more memory than a batch of them', async () => {
  await connections.scope(async () => {
    let most = 0;
    let row = 0;
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for await (const { text } of db.cursor<{ text: string }>(
      "SELECT repeat('x', 1000) AS text FROM generate_series(1, 100000)",
    )) {
      if (text.length !== 1000) throw new Error('another row');
      if (++row % 10_000 > 0) continue;
      await collectGarbage();
      most = Math.max(most, process.memoryUsage().heapUsed - before);
    }
    expect(row).toBe(100_000);
    expect(most).toBeLessThan(20 * 2 ** 20); // all of them are 100 MB
  });
}, 30_000);

test('an error on its way leaves the connection usable', async () => {
  await connections.scope(async () => {
    const found: number[] = [];
    const failing = db.transaction(async () => {
      for await (const { q } of db.cursor<{ q: number }>('SELECT 10 / (4 - n) AS q FROM generate_series(1, 9) n', [], {
        batch: 1,
        name: 'quotients',
      })) {
        found.push(q);
      }
    });
    await expect(failing).rejects.toMatchObject({ name: 'DataError', sqlstate: '22012', queryName: 'quotients' });
    expect(found).toEqual([3, 5, 10]);
    expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });
});

test('its error at the beginning is that of the SELECT', async () => {
  await connections.scope(async () => {
    await expect(db.cursor('SELECT nothing').next()).rejects.toMatchObject({ sqlstate: '42703' });
    await expect(db.cursor('INSERT INTO notes VALUES (1)').next()).rejects.toMatchObject({ sqlstate: '42601' });
    await expect(db.cursor('SELECT 1', [], { batch: 0 }).next()).rejects.toThrow(/batch is a whole number from 1 on/);
  });
});

test('behind the end of its transaction there is none', async () => {
  await connections.scope(async () => {
    const rows = await db.transaction(async () => {
      const opened = db.cursor<Row>('SELECT n FROM generate_series(1, 10) n', [], { batch: 1 });
      await opened.next();
      return opened;
    });
    await expect(rows.next()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
  });
});

test('with `pool` it needs a transaction', async () => {
  const pool = connections.get('pool');
  await connections.scope(async () => {
    await expect(pool.cursor('SELECT 1').next()).rejects.toMatchObject({
      name: 'NotSupportedError',
      code: 'SESSION_STATE',
    });
    await pool.transaction(async () => {
      expect(await pool.cursor('SELECT 1 AS one').next()).toMatchObject({ value: { one: 1 } });
    });
  });
});
