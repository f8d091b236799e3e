// An application that keeps its configuration in the database and reads it while it is loaded: the thread's point 4.

import { Application, signals } from 'postfork';
import { configureDatabases, connections, db } from 'postfork/db';

configureDatabases({ default: { applicationName: 'app', connMaxAge: null } });
const loadedIn = process.pid;
const { rows } = await connections.scope(() =>
  db.query("SELECT value, pg_backend_pid() AS backend FROM configuration WHERE name = 'title'"),
);
const [{ value: title, backend: loadedBy }] = rows;

// Outside of requests too: of its own worker.
let atStart;
signals.worker_started.connect(() =>
  connections.scope(async () => {
    atStart = (await db.query('SELECT pg_backend_pid() AS backend')).rows[0].backend;
  }),
);

const app = new Application();
app.get('/', async () => {
  const { rows } = await db.query('SELECT pg_backend_pid() AS backend, pg_sleep(0.002)');
  return { pid: process.pid, loadedIn, loadedBy, title, atStart, backend: rows[0].backend };
});
export default app;
