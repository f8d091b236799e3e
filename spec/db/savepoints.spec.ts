// Transactions within transactions: savepoints.

import fc from 'fast-check';
import { configureDatabases, connections, db } from '../../lib/db/index.ts';
import { postgresServer } from '../support/postgres.ts';

const postgres = postgresServer();

beforeAll(async () => {
  configureDatabases({ default: { url: postgres.url(), connMaxAge: null } });
  await postgres.admin('CREATE TABLE notes (id int)');
});
beforeEach(() => postgres.admin('TRUNCATE notes'));
afterAll(() => connections.closeAll());

const note = (id: number) => db.query('INSERT INTO notes VALUES ($1)', [id]);
const notes = async () =>
  (await postgres.admin<{ id: number }>('SELECT id FROM notes ORDER BY id')).map(({ id }) => id);
const failing = async (...ids: number[]): Promise<void> => {
  for (const id of ids) await note(id);
  throw new Error('no');
};

test('one that fails takes its own statements back, where its error is caught', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      await note(1);
      await db.transaction(() => failing(2)).catch(() => {});
      await db.transaction(() => note(3));
    }),
  );
  expect(await notes()).toEqual([1, 3]);
});

test('one that fails takes all back, where its error is not caught', async () => {
  await connections.scope(async () => {
    const outer = db.transaction(async () => {
      await note(1);
      await db.transaction(() => failing(2));
    });
    await expect(outer).rejects.toThrow('no');
  });
  expect(await notes()).toEqual([]);
});

test('what succeeds within what fails is gone too', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      await db
        .transaction(async () => {
          await db.transaction(() => note(1));
          await failing(2);
        })
        .catch(() => {});
      await note(3);
    }),
  );
  expect(await notes()).toEqual([3]);
});

test('a statement that fails in one leaves the outer one usable', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      await note(1);
      await expect(db.transaction(() => db.query('SELEKT'))).rejects.toMatchObject({ sqlstate: '42601' });
      await note(2);
    }),
  );
  expect(await notes()).toEqual([1, 2]);
});

test('a statement that fails in one, and whose error is caught there, is TRANSACTION_ABORTED', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      const inner = db.transaction(async () => {
        await note(1);
        await db.query('SELEKT').catch(() => {});
      });
      await expect(inner).rejects.toMatchObject({ code: 'TRANSACTION_ABORTED' });
      await note(2);
    }),
  );
  expect(await notes()).toEqual([2]);
});

test('hooks wait for the outermost commit, in order; those of what failed are dropped', async () => {
  const called: string[] = [];
  await connections.scope(async () => {
    await db.transaction(async () => {
      db.onCommit(() => called.push('outer'));
      await db.transaction(async () => {
        db.onCommit(() => called.push('inner'));
        await db.transaction(() => db.onCommit(() => called.push('innermost')));
      });
      expect(called).toEqual([]);
      await db
        .transaction(async () => {
          db.onCommit(() => called.push('failed'));
          await db.transaction(() => db.onCommit(() => called.push('within what failed')));
          throw new Error('no');
        })
        .catch(() => {});
      db.onCommit(() => called.push('last'));
      expect(called).toEqual([]);
    });
  });
  expect(called).toEqual(['outer', 'inner', 'innermost', 'last']);
});

test.each([[{ isolation: 'serializable' }], [{ readOnly: true }], [{ deferrable: true }], [{ retries: 1 }]])(
  'takes no options: %j',
  async (options) => {
    await connections.scope(() =>
      db.transaction(async () => {
        const inner = db.transaction(() => note(1), options as object);
        await expect(inner).rejects.toMatchObject({ name: 'ProgrammingError', code: 'TRANSACTION_OPTIONS' });
        await note(2);
      }),
    );
    expect(await notes()).toEqual([2]);
  },
);

test('two at once run one after the other, and one that fails does not touch the other', async () => {
  await connections.scope(() =>
    db.transaction(async () => {
      const results = await Promise.allSettled([
        db.transaction(() => failing(1, 2)),
        db.transaction(async () => {
          await note(3);
          await note(4);
        }),
        note(5),
      ]);
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    }),
  );
  expect(await notes()).toEqual([3, 4, 5]);
});

describe('any tree of transactions', () => {
  interface Tree {
    steps: (Tree | 'note' | 'bad')[];
    /** Throws behind its steps. */
    fails: boolean;
    /** Who has asked for it catches its error. */
    caught: boolean;
  }
  const { tree } = fc.letrec<{ tree: Tree; step: Tree | 'note' | 'bad' }>((tie) => ({
    step: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 4, arbitrary: fc.constant('note' as const) },
      { weight: 1, arbitrary: fc.constant('bad' as const) },
      { weight: 4, arbitrary: tie('tree') },
    ),
    tree: fc.record({
      steps: fc.array(tie('step'), { maxLength: 4 }),
      fails: fc.boolean(),
      caught: fc.boolean(),
    }),
  }));

  /** What it writes; undefined where it fails. A bad statement is one whose error nobody catches. */
  function model({ steps, fails }: Tree, next: () => number): number[] | undefined {
    const written: number[] = [];
    for (const step of steps) {
      if (step === 'bad') return undefined;
      if (step === 'note') written.push(next());
      else {
        const inner = model(step, next);
        if (inner !== undefined) written.push(...inner);
        else if (!step.caught) return undefined;
      }
    }
    return fails ? undefined : written;
  }

  async function run({ steps, fails, caught }: Tree, next: () => number, committed: number[]): Promise<void> {
    const transaction = db.transaction(async () => {
      for (const step of steps) {
        if (step === 'bad') await db.query('SELECT 1 / 0');
        else if (step === 'note') {
          const id = next();
          await note(id);
          db.onCommit(() => committed.push(id));
        } else await run(step, next, committed);
      }
      if (fails) throw new Error('no');
    });
    await (caught ? transaction.catch(() => {}) : transaction);
  }

  const counter = (): (() => number) => {
    let last = 0;
    return () => ++last;
  };

  test('writes what a model of it says, and calls the hooks of that', async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (outermost) => {
        await postgres.admin('TRUNCATE notes');
        const committed: number[] = [];
        await connections.scope(() => run(outermost, counter(), committed).catch(() => {}));
        const expected = model(outermost, counter()) ?? [];
        expect(await notes()).toEqual(expected);
        expect(committed).toEqual(expected);
        expect(await postgres.admin("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in%'")).toEqual([]);
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
