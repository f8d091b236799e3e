// COPY: rows in bulk, in and out.

import { createReadStream, writeFileSync } from 'node:fs';
import { configureDatabases, connections, db, type CopySource } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';
import { temporaryFolder } from '../support/temporary.ts';

const postgres = postgresServer();
const folder = temporaryFolder();
const ROWS = 100_000;

beforeAll(async () => {
  configureDatabases({
    default: { url: postgres.url(), applicationName: 'app' },
    pool: { url: postgres.url(), pool: true },
    'pool of one': { url: postgres.url(), pool: true, maxConnections: 1 },
  });
  await postgres.admin('CREATE TABLE items (id int, name text)');
});
beforeEach(() => postgres.admin('TRUNCATE items'));
afterAll(() => connections.closeAll());

const IN = 'COPY items FROM STDIN';
const count = async () => (await postgres.admin<{ n: number }>('SELECT count(*)::int AS n FROM items'))[0]?.n;
const pid = async () => (await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
const kill = (backend: number | undefined) => postgres.admin('SELECT pg_terminate_backend($1)', [backend]);

function* lines(rows = ROWS): Generator<string> {
  for (let id = 1; id <= rows; id++) yield `${id}\tname ${id}\n`;
}
async function* later(pieces: Iterable<string | Uint8Array>): AsyncGenerator<string | Uint8Array> {
  yield* pieces;
}
/** On the same connection as before. */
async function unharmed<T>(work: () => Promise<T>): Promise<T> {
  return connections.scope(async () => {
    const before = await pid();
    const result = await work();
    expect(await pid()).toBe(before);
    return result;
  });
}

describe('copyFrom', () => {
  test.each<[string, () => CopySource]>([
    ['strings', () => lines()],
    ['strings that come later', () => later(lines())],
    ['large pieces that end anywhere', () => [...lines()].join('').match(/[\s\S]{1,65537}/g) as string[]],
    ['Buffers', () => [Buffer.from([...lines()].join(''))]],
    ['one string', () => [...lines()].join('')],
    [
      'a file',
      () => {
        writeFileSync(folder.join('rows'), [...lines()].join(''));
        return createReadStream(folder.join('rows'));
      },
    ],
  ])('takes 100,000 rows: %s', async (_, source) => {
    expect(await unharmed(() => db.copyFrom(IN, source()))).toBe(ROWS);
    expect(await count()).toBe(ROWS);
    expect(await postgres.admin('SELECT * FROM items WHERE id = 99999')).toEqual([{ id: 99_999, name: 'name 99999' }]);
  });

  test('takes nothing', async () => {
    expect(await unharmed(() => db.copyFrom(IN, []))).toBe(0);
  });

  test('asks its source for no more than the server takes', async () => {
    let asked = 0;
    function* source(): Generator<string> {
      for (; asked < 3000; asked++) yield `1\t${'x'.repeat(10_000)}\n`;
    }
    await postgres.admin('BEGIN; LOCK items'); // COPY waits for it
    try {
      await connections.scope(async () => {
        const copying = db.copyFrom(IN, source());
        await postgres.until(
          'COPY waits',
          async () => (await postgres.admin('SELECT 1 FROM pg_locks WHERE NOT granted')).length > 0,
        );
        expect(asked).toBeLessThan(500);
        await postgres.admin('COMMIT');
        expect(await copying).toBe(3000);
      });
    } finally {
      await postgres.admin('ROLLBACK');
    }
  });

  test.each<[string, (error: Error) => CopySource]>([
    [
      'at once',
      (error) => ({
        [Symbol.iterator]: () => {
          throw error;
        },
      }),
    ],
    [
      'on its way',
      (error) =>
        (function* () {
          yield* lines(5000);
          throw error;
        })(),
    ],
    [
      'later',
      (error) =>
        (async function* () {
          yield* lines(5000);
          await new Promise(setImmediate);
          throw error;
        })(),
    ],
  ])('a source that throws %s: its own error comes out, and nothing is copied', async (_, source) => {
    const error = Object.assign(new Error('of the source, secret-4711'), { code: 'ECONNRESET' }); // like that of a socket
    await unharmed(() => expect(db.copyFrom(IN, source(error))).rejects.toBe(error));
    expect(await count()).toBe(0);
    expect(postgres.server.log).not.toContain('secret-4711');
  });

  test('a file that is not there is the error', async () => {
    await unharmed(() =>
      expect(db.copyFrom(IN, createReadStream(folder.join('none')))).rejects.toMatchObject({ code: 'ENOENT' }),
    );
  });

  test('pieces of something else are a TypeError, and nothing is copied', async () => {
    await unharmed(() => expect(db.copyFrom(IN, ['1\ta\n', 7] as never)).rejects.toMatchObject({ name: 'TypeError' }));
    expect(await count()).toBe(0);
  });

  test.each<[string, (pieces: string[]) => CopySource]>([
    ['a list', (pieces) => pieces],
    [
      'a generator',
      (pieces) =>
        (function* () {
          yield* pieces;
          yield* lines(50_000);
        })(),
    ],
    ['an async generator', (pieces) => later([...pieces, ...lines(50_000)])],
  ])('a bad row is a DataError without its values, and ends the source: %s', async (_, source) => {
    const copying = () => db.copyFrom(IN, source(['1\ta\n', 'marker-4711\tb\n']), { name: 'items' });
    await unharmed(() =>
      expect(copying()).rejects.toMatchObject({
        name: 'DataError',
        sqlstate: '22P02',
        queryName: 'items',
        message: 'invalid input syntax for type integer: "..."',
      }),
    );
    expect(await count()).toBe(0);
  });

  test('its source is told when it is not wanted any more', async () => {
    const returned = jest.fn();
    async function* source(): AsyncGenerator<string> {
      try {
        for (;;) {
          await new Promise(setImmediate);
          yield 'bad\n';
        }
      } finally {
        returned();
      }
    }
    await unharmed(() => expect(db.copyFrom(IN, source())).rejects.toMatchObject({ name: 'DataError' }));
    await postgres.until('it is told', () => returned.mock.calls.length === 1);
  });

  test('the backend killed in the middle is an OperationalError, for which no source is waited for', async () => {
    await connections.scope(async () => {
      const backend = await pid();
      async function* source(): AsyncGenerator<string> {
        yield* lines(10);
        await kill(backend);
        await new Promise(() => {});
      }
      await expect(db.copyFrom(IN, source())).rejects.toMatchObject({
        name: 'OperationalError',
        code: 'CONNECTION_LOST',
      });
      expect(await pid()).not.toBe(backend);
    });
    expect(await count()).toBe(0);
  });

  test('an error behind which pieces wait to be sent is its error, and nobody else’s', async () => {
    await postgres.admin(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.3); RAISE EXCEPTION 'not this one'; END $$`);
    await postgres.admin('CREATE TABLE refused (id int, name text)');
    await postgres.admin('CREATE TRIGGER refuse BEFORE INSERT ON refused FOR EACH ROW EXECUTE FUNCTION refuse()');
    const long = `1\t${'x'.repeat(1000)}\n`;
    const many = Array.from({ length: 30_000 }, () => Buffer.from(long)); // more than the system takes while the server waits
    await unharmed(() => expect(db.copyFrom('COPY refused FROM STDIN', many)).rejects.toThrow('not this one'));
  });

  test('leaves others their turn, whatever the source gives without being waited for', async () => {
    let inTurn = 0;
    let most = 0;
    let turn = setImmediate(next);
    function next(): void {
      inTurn = 0;
      turn = setImmediate(next);
    }
    function* counted(): Generator<string> {
      for (const line of lines()) {
        yield line;
        most = Math.max(most, (inTurn += line.length));
      }
    }
    await unharmed(() => db.copyFrom(IN, counted()));
    clearImmediate(turn);
    expect(most).toBeLessThan(100_000); // of 1.7 MB
  });

  test('is undone with its transaction', async () => {
    await connections.scope(async () => {
      const failing = db.transaction(async () => {
        expect(await db.copyFrom(IN, lines(10))).toBe(10);
        expect((await db.query('SELECT count(*)::int AS n FROM items')).rows).toEqual([{ n: 10 }]);
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      await db.transaction(() => db.copyFrom(IN, lines(3)));
    });
    expect(await count()).toBe(3);
  });

  test('works with `pool`', async () => {
    await connections.scope(async () => {
      expect(await connections.get('pool').copyFrom(IN, lines(3))).toBe(3);
    });
  });
});

describe('copyTo', () => {
  const OUT = 'COPY (SELECT n, repeat($$x$$, 1000) FROM generate_series(1, 100000) n) TO STDOUT';
  const running = () =>
    postgres.admin(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'app' AND query LIKE 'COPY%' AND state = 'active'",
    );

  test('gives 100,000 rows, and what was copied in comes out', async () => {
    await unharmed(async () => {
      await db.copyFrom(IN, lines());
      const pieces: Buffer[] = [];
      for await (const piece of db.copyTo('COPY (SELECT * FROM items ORDER BY id) TO STDOUT')) pieces.push(piece);
      expect(Buffer.concat(pieces).toString() === [...lines()].join('')).toBe(true);
    });
  });

  test('gives nothing of nothing', async () => {
    await unharmed(async () => {
      expect(await db.copyTo('COPY items TO STDOUT').next()).toEqual({ done: true, value: undefined });
    });
  });

  test('read slowly it does not fill the memory', async () => {
    await connections.scope(async () => {
      let bytes = 0;
      let most = 0;
      const before = process.memoryUsage();
      for await (const piece of db.copyTo(OUT)) {
        bytes += piece.length;
        await new Promise(setImmediate);
        const now = process.memoryUsage();
        most = Math.max(most, now.arrayBuffers - before.arrayBuffers);
      }
      expect(bytes).toBeGreaterThan(100_000_000);
      expect(most).toBeLessThan(50 * 2 ** 20);
    });
  }, 30_000);

  test('ended early it is stopped on the server, and the next statement works', async () => {
    await connections.scope(async () => {
      for await (const piece of db.copyTo(OUT)) {
        expect(piece.length).toBeGreaterThan(0);
        expect(await running()).toHaveLength(1);
        break;
      }
      expect(await running()).toEqual([]);
      expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });
  });

  test('ended early with its last piece it stops nothing: the connection may be another request’s by then', async () => {
    const database = connections.get('pool of one');
    const sleeping = async () =>
      (await postgres.backends()).some(({ state, query }) => state === 'active' && query.includes('pg_sleep'));
    let other: Promise<unknown> | undefined;
    await connections.scope(async () => {
      for await (const piece of database.copyTo('COPY (SELECT 1) TO STDOUT')) {
        expect(String(piece)).toBe('1\n');
        other = connections.scope(() => database.query('SELECT 1 AS one FROM pg_sleep(0.5)'));
        await postgres.until('it runs', sleeping);
        break;
      }
    });
    expect(await other).toMatchObject({ rows: [{ one: 1 }] });
  });

  test('an error of who reads it stops it too', async () => {
    await connections.scope(async () => {
      const failing = (async () => {
        for await (const _ of db.copyTo(OUT)) throw new Error('of the reader');
      })();
      await expect(failing).rejects.toThrow('of the reader');
      expect(await running()).toEqual([]);
    });
  });

  test('an error on its way is that of the server', async () => {
    await unharmed(async () => {
      const failing = (async () => {
        for await (const _ of db.copyTo('COPY (SELECT 1 / (5000 - n) FROM generate_series(1, 9000) n) TO STDOUT'));
      })();
      await expect(failing).rejects.toMatchObject({ name: 'DataError', sqlstate: '22012' });
    });
  });

  test('the backend killed in the middle is an OperationalError', async () => {
    await connections.scope(async () => {
      const backend = await pid();
      let killed = false;
      const failing = (async () => {
        for await (const _ of db.copyTo(OUT)) {
          if (!killed) await kill(backend);
          killed = true;
        }
      })();
      await expect(failing).rejects.toMatchObject({ name: 'OperationalError', code: 'CONNECTION_LOST' });
      expect(await pid()).not.toBe(backend);
    });
  });

  test('other statements of the request wait until it has ended', async () => {
    await connections.scope(async () => {
      let asked: Promise<unknown> | undefined;
      let ended = false;
      for await (const _ of db.copyTo('COPY (SELECT 1) TO STDOUT')) {
        asked ??= db.query('SELECT 1').then(() => expect(ended).toBe(true));
        await new Promise(setImmediate);
      }
      ended = true;
      await asked;
    });
  });
});

describe('what is no such COPY is refused before it is sent', () => {
  test.each([
    'SELECT 1',
    '',
    'COPY items TO STDOUT',
    "COPY items FROM '/etc/passwd'",
    'COPY items FROM STDIN; SELECT 1',
    "COPY (SELECT 'x from stdin') TO STDOUT",
    'COPY (SELECT a from stdin) TO STDOUT',
    'COPY items TO STDOUT -- FROM STDIN',
    '/* COPY items FROM STDIN */ SELECT 1',
    'BEGIN; COPY items FROM STDIN',
  ])('copyFrom: %s', async (text) => {
    await connections.scope(async () => {
      await expect(db.copyFrom(text, [])).rejects.toMatchObject({
        name: 'ProgrammingError',
        code: 'REFUSED',
      });
      expect(connections.stats()['default']?.inUse).toBe(0); // there was no need of one
    });
  });

  test.each([
    'SELECT 1',
    'COPY items FROM STDIN',
    "COPY items TO '/tmp/x'",
    'COPY items TO STDOUT; SELECT 1',
    "COPY items FROM STDIN WHERE name = 'to stdout'",
    'COPY items FROM STDIN /* TO STDOUT */',
  ])('copyTo: %s', async (text) => {
    await connections.scope(async () => {
      await expect(db.copyTo(text).next()).rejects.toMatchObject({
        name: 'ProgrammingError',
        code: 'REFUSED',
      });
      expect(connections.stats()['default']?.inUse).toBe(0); // there was no need of one
    });
  });

  test.each(['copy items(id,name)from stdin', '-- all\nCOPY public."items" (id, name) FROM STDIN WITH (FORMAT csv);'])(
    'but not: %s',
    async (text) => {
      await connections.scope(async () => {
        expect(await db.copyFrom(text, [text.includes('csv') ? '1,a\n' : '1\ta\n'])).toBe(1);
      });
    },
  );
});
