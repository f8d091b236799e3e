// An application that has a transaction open while it is forked: begun where it is loaded, ended when the file DB_DONE is there.
// With DB_RUNNING it is within a statement, whose lock the spec has.

import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Application } from 'postfork';
import { configureDatabases, connection_discarded, connections, db } from 'postfork/db';

configureDatabases({ default: { applicationName: 'app', connMaxAge: null } });
const discarded = [];
connection_discarded.connect(({ alias, connection: { ownerPid } }) => discarded.push({ alias, ownerPid }));
const zygote = process.pid;
const { DB_DONE: done, DB_RUNNING: running } = process.env;

let inTransaction; // runs a function as if it were within
let inScope;
let outcome = 'none';

const work = () =>
  db.transaction(async () => {
    inTransaction = AsyncLocalStorage.snapshot();
    await db.query("INSERT INTO notes VALUES ('before the fork', $1)", [process.pid]);
    begun();
    if (running !== undefined) await db.query('SELECT pg_advisory_xact_lock(1)');
    while (!existsSync(done)) await delay(10);
    await db.query("INSERT INTO notes VALUES ('behind the fork', $1)", [process.pid]);
  });
let begun;
const begins = new Promise((resolve) => (begun = resolve));
connections
  .scope(() => {
    inScope = AsyncLocalStorage.snapshot();
    return work();
  })
  .then(
    () => (outcome = 'committed'),
    (error) => (outcome = error),
  )
  .finally(() => {
    if (process.pid === zygote) writeFileSync(`${done}.zygote`, String(outcome?.stack ?? outcome));
  });
await begins;

const told = ({ name, code, message, stack } = {}) => ({ name, code, message, stack });
const errorOf = (run) => run(() => db.query('SELECT 1')).then(() => ({ name: 'no error' }), told);

const app = new Application();
app.get('/', async () => ({
  pid: process.pid,
  backend: (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid,
}));
app.get('/outcome', async () => {
  while (outcome === 'none') await delay(5);
  return told(outcome);
});
app.get('/in-transaction', () => errorOf(inTransaction));
app.get('/in-scope', () => errorOf(inScope));
app.get('/discarded', () => ({ zygote, discarded }));
export default app;
