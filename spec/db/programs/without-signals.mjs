// A process that forks without a word to anybody, with a connection that is kept and one that is in use; tells what became of them.

import { AsyncLocalStorage } from 'node:async_hooks';
import { configureDatabases, connections, db } from 'postfork/db';
import { inChild } from '../../programs/fork-family.mjs';

configureDatabases({ default: { applicationName: 'app', connMaxAge: null } });

const ask = async () => (await db.query('SELECT pg_backend_pid() AS pid')).rows[0].pid;
const inScope = () => connections.scope(ask);
const codeOf = (asked) =>
  asked.then(
    () => 'none',
    ({ code }) => code,
  );

await connections.scope(async () => {
  const used = await ask();
  const kept = await inScope();
  const within = AsyncLocalStorage.snapshot();
  const { stdout, stderr } = await inChild(async () => {
    const report = {
      foreign: await codeOf(within(ask)),
      first: await inScope(),
      second: await inScope(),
      stats: connections.stats().default,
    };
    await connections.closeAll();
    report.afterwards = connections.stats().default;
    process.stdout.write(JSON.stringify(report), () => process.exit(0));
  });
  const again = { used: await ask(), kept: await inScope() };
  console.log(JSON.stringify({ used, kept, again, stderr, child: JSON.parse(stdout) }));
});
process.exit(0);
