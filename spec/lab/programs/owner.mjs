// Owns a PostgreSQL server, and pgbouncer where it is asked for, until it is ended: node owner.mjs <lab> <options> [pgbouncer]

import { pathToFileURL } from 'node:url';

const [lab, options, pooled] = process.argv.slice(2);
const { PgbouncerServer, PostgresServer } = await import(pathToFileURL(lab).href);
const postgres = await PostgresServer.create(JSON.parse(options));
const pgbouncer = pooled === undefined ? undefined : await PgbouncerServer.create({ postgres });
const { pid, data, socketFolder } = postgres;
const urls = [postgres.url(), postgres.socketUrl(), ...(pgbouncer ? [pgbouncer.url(), pgbouncer.socketUrl()] : [])];
process.once('SIGTERM', async () => {
  await pgbouncer?.remove();
  await postgres.remove();
});
process.stdout.write(`${JSON.stringify({ pids: [pid, pgbouncer?.pid].filter(Boolean), data, socketFolder, urls })}\n`);
