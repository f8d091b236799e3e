// An application that is opening a connection while it is forked, and has another use of it wait behind that.

import { writeFileSync } from 'node:fs';
import { Application } from 'postfork';
import { configureDatabases, connections, db } from 'postfork/db';

configureDatabases({
  default: { applicationName: 'app', connMaxAge: null, maxConnections: 1, acquireTimeout: 20_000 },
});
const zygote = process.pid;

const outcomes = [];
for (const n of [1, 2]) {
  connections
    .scope(() => db.query('SELECT $1::int AS n', [n]))
    .then(
      ({ rows }) => outcomes.push(rows[0].n),
      ({ code }) => outcomes.push(code),
    )
    .finally(() => {
      if (process.pid === zygote && outcomes.length === 2) writeFileSync(process.env.DB_DONE, outcomes.join());
    });
}

const app = new Application();
app.get('/outcomes', () => outcomes);
// Two at once: what is reserved for one that the zygote opens is no place here, and none more either.
app.get('/', async () => {
  const backend = async () => (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
  const others = [connections.scope(backend), connections.scope(backend)];
  const backends = await Promise.all(others);
  return { backends, stats: connections.stats().default };
});
export default app;
