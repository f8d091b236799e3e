// The application of the storm: every request asks for its own nonce in several ways, writes rows with it, or fails on the way.

import { setTimeout as delay } from 'node:timers/promises';
import { Application, HttpResponse } from 'postfork';
import { configureDatabases, connections, PostgresError } from 'postfork/db';

configureDatabases({
  default: { applicationName: 'storm-closed', connMaxAge: 0 },
  closed: { url: process.env.DATABASE_URL, applicationName: 'storm-closed', connMaxAge: 0 },
  kept: {
    url: process.env.DATABASE_URL,
    applicationName: 'storm-kept',
    connMaxAge: null,
    connHealthChecks: true,
    cancelOnAbort: true,
  },
  pool: { url: process.env.DATABASE_URL, applicationName: 'storm-pool', pool: true, maxConnections: 4 },
});

const app = new Application();
const insert = (db, nonce, part) => db.query('INSERT INTO storm VALUES ($1, $2)', [nonce, part], { name: 'insert' });

async function countOf(rows, nonce) {
  let count = 0;
  for await (const row of rows) if (row.nonce === nonce) count++;
  return count;
}

async function textOf(pieces) {
  let text = '';
  for await (const piece of pieces) text += piece;
  return text.trim();
}

/** What is done; resolves to all the nonces that were seen. */
const KINDS = {
  async read(db, nonce) {
    const one = async (text, options) => (await db.query(text, [nonce], options)).rows[0].nonce;
    return Promise.all([
      one('SELECT $1::text AS nonce'),
      one('SELECT $1::text AS nonce, pg_sleep(0.001)', { name: 'sleepy' }),
      one('SELECT $1::text AS nonce', { name: 'prepared' }),
    ]);
  },
  async stream(db, nonce) {
    return db.transaction(
      async () => {
        const rows = db.cursor('SELECT $1::text AS nonce FROM generate_series(1, 25)', [nonce], { batch: 10 });
        const count = await countOf(rows, nonce);
        const copied = await textOf(db.copyTo(`COPY (SELECT '${nonce}') TO STDOUT`));
        return [count === 25 ? nonce : `${count} rows`, copied];
      },
      { readOnly: true },
    );
  },
  async commit(db, nonce) {
    return db.transaction(async () => {
      await insert(db, nonce, 1);
      await db
        .transaction(async () => {
          await insert(db, nonce, 9);
          throw new Error('back to the savepoint');
        })
        .catch((error) => {
          if (error.message !== 'back to the savepoint') throw error;
        });
      const { rows } = await db.query('SELECT nonce, part FROM storm WHERE nonce = $1', [nonce]);
      await insert(db, nonce, 2);
      return rows.map((row) => row.nonce);
    });
  },
  async fail(db, nonce) {
    await db.transaction(async () => {
      await insert(db, nonce, 1);
      throw new Error('behind a write');
    });
  },
  async begin(db, nonce) {
    await db.query('BEGIN');
    await insert(db, nonce, 1);
    throw new Error('behind a write');
  },
  /** A forgotten await: the answer comes first. */
  async loose(db, nonce) {
    void db.query('SELECT $1::text, pg_sleep(0.05)', [nonce]);
    void db.transaction(async () => {
      await insert(db, nonce, 1);
      await delay(20);
      await insert(db, nonce, 2);
    });
    return [nonce];
  },
  /** The same in the midst of a transaction. */
  async looseTransaction(db, nonce) {
    let written;
    const first = new Promise((resolve) => (written = resolve));
    const work = db.transaction(async () => {
      await insert(db, nonce, 1).finally(written);
      await delay(20);
      await insert(db, nonce, 2);
    });
    void work.catch(() => {});
    await first;
    return [nonce];
  },
};

app.get('/:kind/:alias/:nonce', async ({ params: { kind, alias, nonce } }) => {
  try {
    return { nonce, seen: await KINDS[kind](connections.get(alias), nonce), pid: process.pid };
  } catch (error) {
    if (!(error instanceof PostgresError)) throw error;
    const { name, code, sqlstate, message } = error;
    return HttpResponse.json({ name, code, sqlstate, message }, { status: 500 });
  }
});
export default app;
