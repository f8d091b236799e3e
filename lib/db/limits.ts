// Whether the servers have room for all connections that the workers may open.

import { Connection } from './connection/index.ts';
import type { DatabaseParts } from './scope/index.ts';

interface Limits {
  database: DatabaseParts;
  /** The same for all databases of one server. */
  server: string;
  maxConnections: number;
  /** Of them, for superusers and the like. */
  reserved: number;
}

/**
 * Ask each server once, when a worker starts, and warn where workers x maxConnections of all its databases are more than it takes of
 * ordinary users. Where it cannot be reached that is said too. Behind a pooler nothing is asked: its own bound counts. Never rejects.
 */
export async function checkConnectionLimits(databases: readonly DatabaseParts[], workers: number): Promise<void> {
  const asked = await Promise.all(databases.filter(({ settings }) => settings.pooler === undefined).map(limitsOf));
  const servers = new Map<string, Limits[]>();
  for (const limits of asked) {
    if (limits !== undefined) servers.set(limits.server, [...(servers.get(limits.server) ?? []), limits]);
  }
  for (const limits of servers.values()) compare(limits as [Limits, ...Limits[]], workers);
}

/** Undefined where it does not answer. */
async function limitsOf(database: DatabaseParts): Promise<Limits | undefined> {
  const { alias, settings, log } = database;
  try {
    const connection = await Connection.open(settings);
    try {
      const { rows } = await connection.query<Omit<Limits, 'database'>>(
        { text: LIMITS },
        { timeout: settings.connectTimeout },
      );
      return { ...(rows[0] as Omit<Limits, 'database'>), database };
    } finally {
      await connection.close();
    }
  } catch (error) {
    log.warn({ err: error, database: alias }, 'the database does not answer; requests that need it fail until it does');
    return undefined;
  }
}

/** Of databases of one server. */
function compare(limits: readonly [Limits, ...Limits[]], workers: number): void {
  const [{ maxConnections: most, reserved, database }] = limits;
  const names = limits.map((one) => one.database.alias).join(', ');
  const maxConnections = limits.reduce((sum, one) => sum + one.database.settings.maxConnections, 0);
  const wanted = workers * maxConnections;
  const room = most - reserved;
  if (wanted <= room) return;
  const each = Math.max(1, Math.floor(room / workers / limits.length));
  database.log.warn(
    { database: names, workers, maxConnections, room },
    `${workers} workers may open ${wanted} database connections, and the server takes ${room} (max_connections ${most}, ` +
      `${reserved} reserved): requests beyond that fail. Set maxConnections to ${each} or less` +
      `${limits.length > 1 ? ` for each of ${names}` : ''}, have fewer workers, or put pgbouncer between`,
  );
}

// The time of its start, in microseconds, is a server's own: its address depends on the way to it, and a standby has the identifier of
// its primary. reserved_connections is there from PostgreSQL 16 on.
const LIMITS = `SELECT extract(epoch FROM pg_postmaster_start_time())::text AS server,
  current_setting('max_connections')::int AS "maxConnections",
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved`;
