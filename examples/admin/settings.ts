// The settings of the database connections, which the environment can change: CONN_MAX_AGE=0|60|none.

import type { DatabaseSettings } from 'postfork/db';

/** Where it is comes from DATABASE_URL. Throws TypeError for a CONN_MAX_AGE that is none. */
export function databaseSettings(environ: NodeJS.ProcessEnv): DatabaseSettings {
  return {
    connMaxAge: maxAge(environ['CONN_MAX_AGE'] || '0'),
    connHealthChecks: true,
    maxConnections: 5,
    applicationName: () => `postfork-admin ${process.pid}`, // in pg_stat_activity: the worker
  };
}

function maxAge(text: string): number | null {
  if (text === 'none') return null;
  const seconds = Number(text);
  if (!(seconds >= 0)) throw new TypeError(`CONN_MAX_AGE is a number of seconds, or none; not ${text}`);
  return seconds;
}
