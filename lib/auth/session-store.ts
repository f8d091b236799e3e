// The statements on postfork_sessions. A token never reaches the database, only its SHA-256.

import { createHash, randomBytes } from 'node:crypto';
import { db } from '../db/index.ts';
import { User, USER_COLUMNS, type UserRow } from './user.ts';

/** A session as it was found. */
export interface StoredSession {
  readonly token: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly user: User | undefined;
}

/** What a request has changed of a session. */
export interface SessionChanges {
  /** Begin with nothing instead of what is stored. */
  readonly cleared: boolean;
  readonly set: Readonly<Record<string, unknown>>;
  readonly deleted: readonly string[];
  readonly user: User | undefined;
  /** Whether the user has come by this request: else the row has it, with what may be a newer hash. */
  readonly signedIn: boolean;
  /** Seconds from now. */
  readonly maxAge: number;
}

type FoundRow = { data: string; user_id: string | null } & UserRow;

const TOKEN = /^[A-Za-z0-9_-]{43}$/; // 256 bits in base64url

export function newToken(): string {
  return randomBytes(32).toString('base64url');
}

export function isToken(text: string | undefined): text is string {
  return text !== undefined && TOKEN.test(text);
}

function keyOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/**
 * The session and its user by one query. Those that are expired, and those whose user is inactive or has another password by
 * now, are not found.
 */
export async function findSession(token: string): Promise<StoredSession | undefined> {
  const { rows } = await db.query<FoundRow>(
    `SELECT s.data::text AS data, s.user_id, ${USER_COLUMNS}
     FROM postfork_sessions s LEFT JOIN postfork_users u ON u.id = s.user_id
     WHERE s.key = $1 AND s.expires_at > now()
       AND (s.user_id IS NULL OR u.is_active AND s.user_hash = sha256(convert_to(u.password, 'UTF8')))`,
    [keyOf(token)],
    { name: 'postfork: find session' },
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  const data = JSON.parse(row.data) as Record<string, unknown>; // whatever the setting `types` makes of jsonb
  return { token, data, user: row.user_id === null ? undefined : new User(row) };
}

export async function insertSession(token: string, { set, user, maxAge }: SessionChanges): Promise<void> {
  await db.query(
    `INSERT INTO postfork_sessions (key, data, user_id, user_hash, expires_at)
     VALUES ($1, $2::jsonb, $3, $4, now() + make_interval(secs => $5))`,
    [keyOf(token), JSON.stringify(set), user?.id ?? null, user ? User.hashOf(user) : null, maxAge],
    { name: 'postfork: insert session' },
  );
}

/**
 * Change what was changed and nothing else, so that requests that run at once lose nothing of each other's. False where the
 * session is there no more, or has another token: it is not brought back.
 */
export async function updateSession(token: string, nextToken: string, changes: SessionChanges): Promise<boolean> {
  const { cleared, set, deleted, user, signedIn, maxAge } = changes;
  const { rowCount } = await db.query(
    `UPDATE postfork_sessions
     SET key = $2, data = (CASE WHEN $3::boolean THEN '{}'::jsonb ELSE data END || $4::jsonb) - $5::text[],
       user_id = CASE WHEN $9::boolean THEN $6 ELSE user_id END, user_hash = CASE WHEN $9 THEN $7 ELSE user_hash END,
       expires_at = now() + make_interval(secs => $8)
     WHERE key = $1 AND expires_at > now()`,
    [
      keyOf(token),
      keyOf(nextToken),
      cleared,
      JSON.stringify(set),
      deleted,
      user?.id ?? null,
      user ? User.hashOf(user) : null,
      maxAge,
      signedIn,
    ],
    { name: 'postfork: update session' },
  );
  return rowCount === 1;
}

export async function deleteSession(token: string): Promise<void> {
  await db.query('DELETE FROM postfork_sessions WHERE key = $1', [keyOf(token)], { name: 'postfork: delete session' });
}

/**
 * Delete the sessions that are expired; resolves to their number. Django's clearsessions: run it now and then. Each
 * statement deletes `batch` (default 1000), so that no lock is held for long; several at once do not wait for each other.
 * Throws RangeError for a batch that is no whole number from 1 on.
 */
export async function deleteExpiredSessions(options: { batch?: number } = {}): Promise<number> {
  const { batch = 1000 } = options;
  if (!Number.isInteger(batch) || batch < 1) throw new RangeError(`deleteExpiredSessions: ${batch} is no batch`);
  for (let deleted = 0; ;) {
    const { rowCount } = await db.query(
      `DELETE FROM postfork_sessions WHERE key IN
       (SELECT key FROM postfork_sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
      [batch],
      { name: 'postfork: delete expired sessions' },
    );
    deleted += rowCount ?? 0;
    if ((rowCount ?? 0) < batch) return deleted;
  }
}
