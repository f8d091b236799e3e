// A process that forks while a kept connection is asked whether it is alive; tells what became of who waits for it, here and there.

import { configureDatabases, connections, db } from 'postfork/db';
import { inChild } from '../../programs/fork-family.mjs';

configureDatabases({ default: { applicationName: 'app', connMaxAge: null, connHealthChecks: true } });

const ask = async () => (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
const kept = await connections.scope(ask);
const waiting = connections.scope(ask).catch(({ code }) => code);
const { stdout, stderr } = await inChild(async () => {
  const own = await connections.scope(ask);
  const report = { own, waiting: await waiting, stats: connections.stats().default };
  await connections.closeAll();
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
});
console.log(JSON.stringify({ kept, waiting: await waiting, stderr, child: JSON.parse(stdout) }));
process.exit(0);
