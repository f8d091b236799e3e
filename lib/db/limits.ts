// Whether the server has room for all connections that the workers may open.

import { Connection } from './connection.ts';
import type { DatabaseParts } from './database-parts.ts';

interface Limits {
  max_connections: string;
  reserved: string;
}

/**
 * Ask the server once, when a worker starts, and warn where workers x maxConnections are more than it takes of ordinary users. Where it
 * cannot be reached that is said too. Behind a pooler nothing is asked: its own bound counts. Never rejects.
 */
export async function checkConnectionLimit({ alias, settings, log }: DatabaseParts, workers: number): Promise<void> {
  if (settings.pooler !== undefined) return;
  const wanted = workers * settings.maxConnections;
  try {
    const connection = await Connection.open(settings);
    try {
      const { rows } = await connection.query<Limits>({ text: LIMITS });
      const [limits] = rows as [Limits];
      const room = Number(limits.max_connections) - Number(limits.reserved);
      if (wanted <= room) return;
      log.warn(
        { database: alias, workers, maxConnections: settings.maxConnections, room },
        `${workers} workers may open ${wanted} database connections, and the server takes ${room} (max_connections ` +
          `${limits.max_connections}, ${limits.reserved} reserved): requests beyond that fail. Set maxConnections to ` +
          `${Math.max(1, Math.floor(room / workers))} or less, have fewer workers, or put pgbouncer between`,
      );
    } finally {
      await connection.close();
    }
  } catch (error) {
    log.warn({ err: error, database: alias }, 'the database does not answer; requests that need it fail until it does');
  }
}

// reserved_connections is there from PostgreSQL 16 on.
const LIMITS = `SELECT current_setting('max_connections') AS max_connections,
  (current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true), '0')::int)::text AS reserved`;
