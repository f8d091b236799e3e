// An application whose requests end in every way with a row changed, and locked, that is not committed.

import { setTimeout as delay } from 'node:timers/promises';
import { Application, HttpError, HttpResponse, signals } from 'postfork';
import { configureDatabases, connections } from 'postfork/db';

const url = process.env.DATABASE_URL;
const log = { warn: tell, error: tell };
// A server whose client is killed within a statement goes on with it, unless it is to look (PostgreSQL 14, manual 19.3.2).
const common = { url, cancelOnAbort: true, sessionSettings: { client_connection_check_interval: '300ms' } };
configureDatabases(
  {
    closed: { ...common, applicationName: 'ends-closed' },
    kept: { ...common, applicationName: 'ends-kept', connMaxAge: null },
    pool: { ...common, applicationName: 'ends-pool', pool: true },
  },
  { log },
);

function tell(fields, message) {
  process.stderr.write(`database: ${message} ${JSON.stringify({ ...fields, err: fields.err?.message })}\n`);
}

const SHORT = 20; // ms
const aborted = (request) =>
  new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason)));
const fail = (error = new Error('it went wrong')) => {
  throw error;
};

/** A change in a transaction, which goes on as `then` does. */
const change = (db, id, then) =>
  db.transaction(async () => {
    await db.query('UPDATE accounts SET balance = balance + 1 WHERE id = $1', [id], { name: 'change' });
    return then();
  });

/** The same, not waited for: resolves when the row is locked. */
const loosely = (db, id, then) => new Promise((locked) => void change(db, id, () => (locked(), then())));

const WAYS = {
  async commit({ db, id }) {
    return change(db, id, () => 'committed');
  },
  async handlerError({ db, id }) {
    return change(db, id, () => fail());
  },
  async httpError({ db, id }) {
    return change(db, id, () => fail(new HttpError(409, 'not like this')));
  },
  async handlerErrorBeside({ db, id }) {
    await loosely(db, id, () => delay(60_000));
    fail();
  },
  async begin({ db, id }) {
    await db.query('BEGIN');
    await db.query('UPDATE accounts SET balance = balance + 1 WHERE id = $1', [id]);
    return 'forgotten';
  },
  async loose({ db, id }) {
    await loosely(db, id, () => delay(60_000));
    return 'early';
  },
  async looseStatement({ db, id }) {
    await loosely(db, id, () => db.query('SELECT pg_sleep(60)'));
    return 'early';
  },
  streamError({ db, id }) {
    async function* body() {
      await loosely(db, id, () => delay(60_000));
      yield 'the beginning';
      await delay(SHORT);
      fail();
    }
    return HttpResponse.stream(body());
  },
  async sleep({ db, id }) {
    return change(db, id, () => db.query('SELECT pg_sleep(60)'));
  },
  async signal({ db, id, request }) {
    return change(db, id, () => aborted(request));
  },
  /** Nobody tells it, and it hears of nothing. */
  async deaf({ db, id }) {
    return change(db, id, () => delay(60_000));
  },
  async body({ db, id, request }) {
    return change(db, id, () => request.text());
  },
  waitUntil({ db, id, request }) {
    request.waitUntil(change(db, id, () => released()));
    return 'later';
  },
  waitUntilFails({ db, id, request }) {
    request.waitUntil(change(db, id, () => released().then(() => fail())));
    return 'later';
  },
  async held({ db, id }) {
    return change(db, id, () => released().then(() => 'committed'));
  },
};

/** Resolves at SIGUSR2. */
const released = () => new Promise((resolve) => process.once('SIGUSR2', resolve));

const app = new Application();
const act = (request) => {
  const { way, alias, id } = request.params;
  return WAYS[way]({ db: connections.get(alias), id, request });
};
app.get('/end/:way/:alias/:id', act);
app.post('/end/:way/:alias/:id', act);

// The order at the end: receivers of the application's own still have the request's connection.
const order = [];
signals.request_finished.connect(async function ours({ request }) {
  if (!request.path.startsWith('/order/')) return;
  const db = connections.get(request.params.alias);
  const { rows } = await db.query('SELECT pg_backend_pid() AS pid');
  order.push({ pid: rows[0].pid, inUse: connections.stats()[db.alias].inUse });
});
app.get('/order/:alias', async ({ params: { alias } }) => {
  const { rows } = await connections.get(alias).query('SELECT pg_backend_pid() AS pid');
  order.push({ pid: rows[0].pid });
  return 'asked';
});
app.get('/told', () => order);
app.get('/stats', () => connections.stats());
export default app;
