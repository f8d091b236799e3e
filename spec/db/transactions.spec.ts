// Transactions: what is written and what is not, their options, retries, and their place among other statements of a request.

import { Application } from '../../lib/app/index.ts';
import { configureDatabases, connections, db, type TransactionOptions } from '../../lib/db/index.ts';
import { request_finished } from '../../lib/signals/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();
const logged: string[] = [];

beforeAll(async () => {
  const log = {
    warn: (_: object, text: string) => logged.push(text),
    error: (_: object, text: string) => logged.push(text),
  };
  configureDatabases(
    {
      default: { url: postgres.url(), applicationName: 'app' },
      other: postgres.url(),
      hurried: { url: postgres.url(), acquireTimeout: 200 },
    },
    { log },
  );
  await postgres.admin(`CREATE TABLE notes (text text);
    CREATE TABLE doctors (name text PRIMARY KEY, on_call bool);
    CREATE TABLE accounts (id int PRIMARY KEY, amount int);
    CREATE TABLE slow (id int);
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(77); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait();
    CREATE TABLE later (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)`);
});
beforeEach(async () => {
  logged.length = 0;
  await postgres.admin(`TRUNCATE notes, doctors, accounts, slow, later`);
});
afterAll(() => connections.closeAll());

const note = (text: unknown) => db.query('INSERT INTO notes VALUES ($1)', [text]);
const notes = async () => (await postgres.admin<{ text: string }>('SELECT text FROM notes')).map(({ text }) => text);
const scope = <T>(fn: () => Promise<T>) => connections.scope(fn);
const show = async (name: string) => Object.values((await db.query(`SHOW ${name}`)).rows[0] ?? {})[0];
/** A promise and the way to it. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('a transaction', () => {
  test('is committed when its function returns, and gives what that gives', async () => {
    await scope(async () => {
      const given = await db.transaction(async () => {
        expect(db.inTransaction).toBe(true);
        await note('a');
        expect(await notes()).toEqual([]);
        return 7;
      });
      expect(given).toBe(7);
      expect(db.inTransaction).toBe(false);
      expect(await db.transaction(() => 'at once')).toBe('at once');
    });
    expect(await notes()).toEqual(['a']);
  });

  test.each(['later', 'at once'])('is rolled back when its function throws %s, with its error', async (when) => {
    const error = new Error('no');
    await scope(async () => {
      const failing = db.transaction((): Promise<void> => {
        void note('a');
        if (when === 'at once') throw error;
        return Promise.reject(error);
      });
      await expect(failing).rejects.toBe(error);
      await note('b');
    });
    expect(await notes()).toEqual(['b']);
  });

  test.each<[TransactionOptions, object]>([
    [{}, { isolation: 'read committed', readOnly: 'off', deferrable: 'off' }],
    [{ isolation: 'repeatable read' }, { isolation: 'repeatable read', readOnly: 'off' }],
    [
      { isolation: 'serializable', readOnly: true, deferrable: true },
      { isolation: 'serializable', readOnly: 'on', deferrable: 'on' },
    ],
    [
      { readOnly: false, deferrable: false },
      { readOnly: 'off', deferrable: 'off' },
    ],
  ])('%j is in force', async (options, expected) => {
    await scope(async () => {
      const seen = await db.transaction(
        async () => ({
          isolation: await show('transaction_isolation'),
          readOnly: await show('transaction_read_only'),
          deferrable: await show('transaction_deferrable'),
        }),
        options,
      );
      expect(seen).toMatchObject(expected);
      expect(await show('transaction_isolation')).toBe('read committed');
    });
  });

  test('that only reads refuses to write, and one that does not writes where reading is the default', async () => {
    await scope(async () => {
      await expect(db.transaction(() => note('a'), { readOnly: true })).rejects.toMatchObject({ sqlstate: '25006' });
      await db.query('SET default_transaction_read_only = on');
      await db.transaction(() => note('b'), { readOnly: false });
    });
    expect(await notes()).toEqual(['b']);
  });

  test('with a statement that has failed, and whose error was caught, is not committed: TRANSACTION_ABORTED', async () => {
    await scope(async () => {
      const hook = jest.fn();
      const half = db.transaction(async () => {
        await note('a');
        db.onCommit(hook);
        await db.query('SELEKT').catch(() => {});
      });
      await expect(half).rejects.toMatchObject({ name: 'ProgrammingError', code: 'TRANSACTION_ABORTED' });
      expect(hook).not.toHaveBeenCalled();
      await note('b');
    });
    expect(await notes()).toEqual(['b']);
  });

  test('whose COMMIT is refused has failed, with the error of its constraint', async () => {
    await scope(async () => {
      const twice = db.transaction(() => db.query('INSERT INTO later VALUES (1), (1)'));
      await expect(twice).rejects.toMatchObject({ name: 'IntegrityError', sqlstate: '23505' });
      expect((await db.query('SELECT * FROM later')).rows).toEqual([]);
    });
  });

  test('whose connection is lost while it is committed is COMMIT_UNKNOWN', async () => {
    await postgres.admin('SELECT pg_advisory_lock(77)');
    try {
      await scope(async () => {
        const committing = db.transaction(() => db.query('INSERT INTO slow VALUES (1)'));
        const failed = committing.catch((error: unknown) => error);
        await postgres.until(
          'COMMIT waits',
          async () =>
            (await postgres.admin("SELECT 1 FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'advisory'"))
              .length > 0,
        );
        await postgres.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT'");
        expect(await failed).toMatchObject({ name: 'OperationalError', code: 'COMMIT_UNKNOWN' });
        expect((await db.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
      });
    } finally {
      await postgres.admin('SELECT pg_advisory_unlock(77)');
    }
  });

  test('whose connection is lost before COMMIT is sent is known not to be committed', async () => {
    await scope(async () => {
      const lost = db.transaction(async () => {
        await note('a');
        const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await postgres.admin('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
        await postgres.until('it is lost', () => connections.stats()['default']?.open === 0);
      });
      await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    });
    expect(await notes()).toEqual([]);
  });

  test.each(['returns', 'throws'])('whose connection is lost, and that %s, is told once', async (how) => {
    await scope(async () => {
      const lost = db.transaction(async () => {
        const { rows } = await db.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        await postgres.admin('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
        await postgres.until('it is lost', () => connections.stats()['default']?.open === 0);
        if (how === 'throws') throw new Error('no');
      });
      await expect(lost).rejects.toThrow(how === 'throws' ? 'no' : 'server closed the connection unexpectedly');
      await note('on another one');
    });
    expect(await notes()).toEqual(['on another one']);
  });

  test.each(['COMMIT', 'ROLLBACK'])('that a %s by hand has ended takes no more statements', async (command) => {
    await scope(async () => {
      const ended = db.transaction(async () => {
        await db.query(command);
        await note('a');
      });
      await expect(ended).rejects.toMatchObject({ name: 'InterfaceError', code: 'TRANSACTION_ENDED' });
    });
    expect(await notes()).toEqual([]);
  });
});

test('an isolation that is none is refused before anything is sent: it would be part of a statement', async () => {
  await connections.scope(async () => {
    const isolation = 'serializable; CREATE TABLE injected ()' as 'serializable';
    await expect(db.transaction(() => 1, { isolation })).rejects.toMatchObject({ code: 'TRANSACTION_OPTIONS' });
    expect((await db.query("SELECT to_regclass('injected') AS table")).rows).toEqual([{ table: null }]);
  });
});

describe('what is asked for in a transaction', () => {
  test('without waiting is done before COMMIT', async () => {
    await scope(() =>
      db.transaction(() => {
        void note('a');
        void note('b').then(() => note('c'));
      }),
    );
    expect(await notes()).toEqual(['a', 'b', 'c']);
  });

  test('after its end is TRANSACTION_ENDED', async () => {
    await scope(async () => {
      const { opened, open } = gate();
      let late!: Promise<unknown>;
      await db.transaction(() => {
        late = opened.then(() => note('late'));
      });
      open();
      await expect(late).rejects.toMatchObject({ name: 'InterfaceError', code: 'TRANSACTION_ENDED' });
    });
    expect(await notes()).toEqual([]);
  });
});

describe('statements of the same request outside of a transaction', () => {
  test('wait for its end, in the order of asking', async () => {
    const { opened, open } = gate();
    const order: string[] = [];
    const done = (what: string) => () => void order.push(what);
    await scope(async () => {
      const first = db.transaction(async () => {
        await opened;
        await note('1');
      });
      const others = [
        note('2').then(done('2')),
        db.transaction(() => note('3')).then(done('3')),
        note('4').then(done('4')),
        db.transaction(() => note('5')).then(done('5')),
      ];
      expect(await notes()).toEqual([]);
      open();
      await first;
      order.unshift('1');
      await Promise.all(others);
    });
    expect(order).toEqual(['1', '2', '3', '4', '5']);
    expect(await notes()).toEqual(['1', '2', '3', '4', '5']);
  });

  test('that it waits for are given up by acquireTimeout', async () => {
    const hurried = connections.get('hurried');
    await scope(async () => {
      const { opened, open } = gate();
      const outside = opened.then(() => hurried.query('SELECT 1'));
      const waiting = hurried.transaction(async () => {
        open();
        await outside;
      });
      await expect(waiting).rejects.toMatchObject({ name: 'OperationalError', code: 'ACQUIRE_TIMEOUT' });
      expect((await hurried.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    });
  });

  test('of another database do not wait', async () => {
    const other = connections.get('other');
    await scope(async () => {
      const failed = db.transaction(async () => {
        await note('a');
        await other.transaction(async () => {
          await other.query("INSERT INTO notes VALUES ('other')");
          expect(other.inTransaction).toBe(true);
          await note('b');
        });
        expect(other.inTransaction).toBe(false);
        throw new Error('no');
      });
      await expect(failed).rejects.toThrow('no');
    });
    expect(await notes()).toEqual(['other']);
  });
});

describe('onCommit', () => {
  test('calls in order after the commit, outside of the transaction', async () => {
    const seen: unknown[] = [];
    await scope(async () => {
      await db.transaction(async () => {
        db.onCommit(async () => seen.push(1, await notes(), db.inTransaction));
        await note('a');
        db.onCommit(() => seen.push(2));
        expect(seen).toEqual([]);
      });
      expect(seen).toEqual([1, ['a'], false, 2]);
    });
  });

  test('can ask for statements', async () => {
    await scope(() => db.transaction(() => db.onCommit(() => note('after'))));
    expect(await notes()).toEqual(['after']);
  });

  test('calls at once outside of a transaction', async () => {
    await scope(async () => {
      const hook = jest.fn();
      db.onCommit(hook);
      expect(hook).toHaveBeenCalledTimes(1);
    });
  });

  test.each(['a scope', 'a request'])(
    'outside of a transaction: %s waits for it, and for those it asks for',
    async (where) => {
      const ask = (): void =>
        db.onCommit(async () => {
          await note('a');
          db.onCommit(async () => {
            await note('b');
            await note('c');
          });
        });
      const app = new Application();
      app.get('/', () => {
        ask();
        return 'done';
      });
      const ended = new Promise<void>((resolve) => {
        request_finished.connect(() => resolve(), { sender: app, last: true });
      });
      if (where === 'a request') await Promise.all([app.inject('/'), ended]);
      else await scope(() => Promise.resolve(ask()));
      expect(await notes()).toEqual(['a', 'b', 'c']);
      expect(logged).toEqual([]);
    },
  );

  test('one that fails is told, and stops nobody', async () => {
    const hook = jest.fn();
    await scope(() =>
      db.transaction(async () => {
        await note('a');
        db.onCommit(() => {
          throw new Error('no');
        });
        db.onCommit(() => Promise.reject(new Error('no')));
        db.onCommit(hook);
      }),
    );
    expect(hook).toHaveBeenCalledTimes(1);
    expect(logged).toEqual(['an onCommit hook failed', 'an onCommit hook failed']);
    expect(await notes()).toEqual(['a']);
  });

  test('calls nothing of what is rolled back', async () => {
    const hook = jest.fn();
    await scope(async () => {
      const failing = db.transaction(() => {
        db.onCommit(hook);
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
    });
    expect(hook).not.toHaveBeenCalled();
  });
});

describe('retries', () => {
  /** Each sees the other on call, and goes: one of them must not. */
  const leave = async (name: string, both: () => Promise<void>, options: TransactionOptions): Promise<number> => {
    let attempts = 0;
    await scope(() =>
      db.transaction(
        async () => {
          attempts++;
          const { rows } = await db.query('SELECT name FROM doctors WHERE on_call');
          if (attempts === 1) await both();
          if (rows.length > 1) await db.query('UPDATE doctors SET on_call = false WHERE name = $1', [name]);
        },
        { isolation: 'serializable', ...options },
      ),
    );
    return attempts;
  };
  const meeting = (): (() => Promise<void>) => {
    const { opened, open } = gate();
    let here = 0;
    return () => {
      if (++here === 2) open();
      return opened;
    };
  };

  test('run it again after a serialization failure', async () => {
    await postgres.admin("INSERT INTO doctors VALUES ('a', true), ('b', true)");
    const both = meeting();
    const attempts = await Promise.all(['a', 'b'].map((name) => leave(name, both, { retries: 3 })));
    expect(attempts.toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(await postgres.admin('SELECT count(*)::int AS n FROM doctors WHERE on_call')).toEqual([{ n: 1 }]);
  });

  test('are none where none are asked for', async () => {
    await postgres.admin("INSERT INTO doctors VALUES ('a', true), ('b', true)");
    const both = meeting();
    const results = await Promise.allSettled(['a', 'b'].map((name) => leave(name, both, {})));
    const failed = results.filter((result) => result.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(failed[0]?.reason).toMatchObject({ name: 'OperationalError', sqlstate: '40001' });
  });

  test('run it again after a deadlock, with the hooks of the last time only', async () => {
    await postgres.admin('INSERT INTO accounts VALUES (1, 0), (2, 0)');
    await postgres.admin("ALTER SYSTEM SET deadlock_timeout = '50ms'");
    await postgres.admin('SELECT pg_reload_conf()');
    const both = meeting();
    const hook = jest.fn();
    const move = async (first: number, second: number): Promise<number> => {
      let attempts = 0;
      const add = (id: number) => db.query('UPDATE accounts SET amount = amount + 1 WHERE id = $1', [id]);
      await scope(() =>
        db.transaction(
          async () => {
            db.onCommit(hook);
            attempts++;
            await add(first);
            if (attempts === 1) await both();
            await db.transaction(() => add(second)); // from within a savepoint too
          },
          { retries: 1 },
        ),
      );
      return attempts;
    };
    expect((await Promise.all([move(1, 2), move(2, 1)])).toSorted((a, b) => a - b)).toEqual([1, 2]);
    expect(hook).toHaveBeenCalledTimes(2);
    expect(await postgres.admin('SELECT amount FROM accounts')).toEqual([{ amount: 2 }, { amount: 2 }]);
  });

  test.each([
    ['40001', 3],
    ['40P01', 3],
    ['23505', 1],
    ['40002', 1],
  ])('%s: %i attempts with 2 retries', async (sqlstate, expected) => {
    let attempts = 0;
    await scope(async () => {
      const failing = db.transaction(
        async () => {
          attempts++;
          await note('a');
          await db.query(`DO $$ BEGIN RAISE 'again' USING ERRCODE = '${sqlstate}'; END $$`);
        },
        { retries: 2 },
      );
      await expect(failing).rejects.toMatchObject({ sqlstate });
    });
    expect(attempts).toBe(expected);
    expect(await notes()).toEqual([]);
  });

  test('are none for what the application throws', async () => {
    const fn = jest.fn(() => Promise.reject(new Error('no')));
    await scope(async () => {
      await expect(db.transaction(fn, { retries: 5 })).rejects.toThrow('no');
    });
    expect(fn).toHaveBeenCalledTimes(1);
  });
});

describe('BEGIN by hand', () => {
  test('is rolled back at the end of the request, and told', async () => {
    const app = new Application();
    app.get('/', async () => {
      await db.query('BEGIN');
      await note('a');
      return 'done';
    });
    expect((await app.inject('/')).status).toBe(200);
    await postgres.until('it is told', () => logged.length > 0);
    expect(logged).toEqual([expect.stringMatching(/ended within a transaction: it was rolled back/)]);
    expect(await notes()).toEqual([]);
  });

  test('is rolled back when the handler fails, before the error page asks for something', async () => {
    const app = new Application();
    app.use(async (request, next) => {
      const response = await next(request);
      await note('from the error page');
      return response;
    });
    app.get('/', async () => {
      await db.query('BEGIN');
      await note('a');
      throw new Error('no');
    });
    await app.inject('/').catch(() => {});
    await postgres.until(
      'no transaction is left',
      async () => (await postgres.backends({ applicationName: 'app' })).length === 0,
    );
    expect(await notes()).not.toContain('a');
  });

  test('takes no db.transaction() within it, whose COMMIT would be its own', async () => {
    await scope(async () => {
      await db.query('BEGIN');
      await note('a');
      await expect(db.transaction(() => note('b'))).rejects.toMatchObject({
        name: 'ProgrammingError',
        code: 'TRANSACTION_OPEN',
      });
      await db.query('ROLLBACK');
      await db.transaction(() => note('c'));
    });
    expect(await notes()).toEqual(['c']);
  });

  test('that is committed by hand is nobody else’s business', async () => {
    await scope(async () => {
      await db.query('BEGIN');
      await note('a');
      await db.query('COMMIT');
    });
    expect(logged).toEqual([]);
    expect(await notes()).toEqual(['a']);
  });
});
