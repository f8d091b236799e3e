// migrate(): applies SQL files to a database, each once, whoever else is at it.

import { connections } from '../connections.ts';
import type { Database, QueryOptions } from '../database.ts';
import { PostgresError } from '../errors/index.ts';
import { MigrationError } from './migration-error.ts';
import { pendingOf, type AppliedRow } from './pending.ts';
import { isSessionless } from '../settings.ts';
import { readFolders, type Migration, type MigrationSet, type ReadSet } from './read-folder.ts';

export interface MigrationsOptions {
  /** Folders of files such as `0001_name.sql`, applied in this order. */
  folders: readonly (string | MigrationSet)[];
  /** Alias. Default `default`. */
  database?: string;
}

export interface MigrateOptions extends MigrationsOptions {
  /** Change nothing; resolve to what would be applied. Default false. */
  dryRun?: boolean;
  /** For others that are applying migrations, in ms. Then MigrationError LOCKED. Default 300,000. */
  lockTimeout?: number;
  /** Called before each file is applied. */
  onApply?: (migration: Migration) => void;
}

/** A migration, and when it was applied, if it was. */
export interface MigrationState {
  readonly migration: Migration;
  readonly appliedAt: Date | undefined;
}

const LOCK = '8102095716024369'; // any number that is always the same and nobody else's
const LOCK_TIMEOUT = 300_000;
const LOCK_NOT_AVAILABLE = '55P03';
const TABLE = 'postfork_migrations';
// Files that pg_dump has written empty the search path. A pooler that nobody has told of would have others find it so, after the COMMIT.
const CLEAN = 'RESET ALL; RESET ROLE';
const CLEAN_LOCAL = 'SET LOCAL search_path TO DEFAULT'; // their SET is refused
const UNBOUNDED: QueryOptions = { timeout: 0 }; // queryTimeout is for requests

/**
 * Apply the files that were not applied yet; resolves to those it has applied. Each folder's in one transaction, all or
 * none, so there is no BEGIN or COMMIT in them, nor what runs outside of transactions only (CREATE INDEX CONCURRENTLY).
 * Safe to run again, and by several processes at once: one applies, the others wait, and find nothing to do. It has a
 * database connection of its own, whether it is called in a request or not. Rejects with MigrationError, or
 * OperationalError where the database is not there.
 */
export async function migrate(options: MigrateOptions): Promise<Migration[]> {
  const { dryRun = false, lockTimeout = LOCK_TIMEOUT, onApply } = options;
  if (!Number.isInteger(lockTimeout) || lockTimeout < 1) throw new RangeError('migrate: lockTimeout is a number of ms');
  if (dryRun) {
    return (await migrationStatus(options)).flatMap((one) => (one.appliedAt === undefined ? [one.migration] : []));
  }
  const sets = await readFolders(options.folders);
  const database = connections.get(options.database);
  return connections.scope(async () => {
    const done: Migration[] = [];
    for (const set of sets) {
      // Each statement must see what others have committed meanwhile.
      const work = (): Promise<Migration[]> => applySet(database, set, { lockTimeout, onApply });
      done.push(...(await database.transaction(work, { isolation: 'read committed' })));
    }
    return done;
  });
}

/** All files in their order, with when they were applied. Changes nothing, waits for nobody. Rejects as `migrate` does. */
export async function migrationStatus(options: MigrationsOptions): Promise<MigrationState[]> {
  const sets = await readFolders(options.folders);
  const database = connections.get(options.database);
  return connections.scope(async () => {
    const states: MigrationState[] = [];
    for (const set of sets) {
      const applied = await findApplied(database, set, TABLE);
      pendingOf(set, applied);
      const times = new Map(applied.map((row) => [row.name, row.applied_at]));
      states.push(...set.migrations.map((migration) => ({ migration, appliedAt: times.get(migration.name) })));
    }
    return states;
  });
}

async function applySet(
  database: Database,
  set: ReadSet,
  { lockTimeout, onApply }: { lockTimeout: number; onApply: ((migration: Migration) => void) | undefined },
): Promise<Migration[]> {
  await lock(database, lockTimeout);
  const table = await createTable(database);
  const pending = pendingOf(set, await findApplied(database, set, table));
  const transaction = await transactionId(database);
  for (const migration of pending) {
    onApply?.(migration);
    await run(database, migration);
    if ((await transactionId(database).catch(noneIsOpen)) !== transaction) {
      const text = `${migration.path}: it ended the transaction: leave COMMIT and ROLLBACK out, and undo what it has done`;
      throw new MigrationError('FAILED', text);
    }
    await database.query(isSessionless(database.parts.settings) ? CLEAN_LOCAL : CLEAN);
    await database.query(`INSERT INTO ${table} (set, name, checksum) VALUES ($1, $2, $3)`, [
      set.set,
      migration.name,
      migration.checksum,
    ]);
  }
  return pending;
}

/** Until the end of the transaction: behind a pooler in transaction mode there is no longer lock. */
async function lock(database: Database, timeout: number): Promise<void> {
  try {
    const text = `SET LOCAL lock_timeout TO ${timeout}; SELECT pg_advisory_xact_lock(${LOCK})`;
    await database.query(text, [], UNBOUNDED);
  } catch (cause) {
    if (!(cause instanceof PostgresError) || cause.sqlstate !== LOCK_NOT_AVAILABLE) throw cause;
    throw new MigrationError('LOCKED', `another process was applying migrations for ${timeout} ms`, { cause });
  }
  await database.query('SET LOCAL lock_timeout TO DEFAULT');
}

/** Its name with its schema, whatever the files do to the search path. */
async function createTable(database: Database): Promise<string> {
  await database.query(
    `CREATE TABLE IF NOT EXISTS ${TABLE} (
       set text NOT NULL,
       name text NOT NULL,
       checksum text NOT NULL, -- SHA-256 of the file
       applied_at timestamptz NOT NULL DEFAULT now(),
       PRIMARY KEY (set, name)
     )`,
  );
  const { rows } = await database.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = '${TABLE}'::regclass`,
  );
  return rows[0]?.name ?? TABLE;
}

/** In their order; none where there is no table yet. */
async function findApplied(database: Database, { set }: ReadSet, table: string): Promise<AppliedRow[]> {
  const { rows } = await database.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [table]);
  if (rows[0]?.there !== true) return [];
  const found = await database.query<AppliedRow>(
    `SELECT name, checksum, applied_at FROM ${table} WHERE set = $1 ORDER BY name COLLATE "C"`,
    [set],
  );
  return found.rows;
}

async function transactionId(database: Database): Promise<string | undefined> {
  const { rows } = await database.query<{ id: string }>('SELECT pg_current_xact_id()::text AS id');
  return rows[0]?.id;
}

function noneIsOpen(error: unknown): undefined {
  if (!(error instanceof PostgresError) || error.code !== 'TRANSACTION_ENDED') throw error;
}

/** One message without parameters: the server takes as many statements as there are in it. */
async function run(database: Database, migration: Migration): Promise<void> {
  try {
    await database.query(migration.sql, [], UNBOUNDED);
  } catch (cause) {
    const line = cause instanceof PostgresError ? lineOf(cause, migration.sql) : undefined;
    const place = line === undefined ? migration.path : `${migration.path}:${line}`;
    const text = `${place}: ${(cause as Error).message} (nothing of the set ${migration.set} was applied)`;
    throw new MigrationError('FAILED', text, { cause });
  }
}

/** From the server's position, in characters from 1 (protocol manual, "Error and Notice Message Fields"). */
function lineOf({ cause }: PostgresError, sql: string): number | undefined {
  const position = Number((cause as { position?: unknown } | undefined)?.position);
  if (!Number.isInteger(position)) return undefined;
  return (
    Array.from(sql)
      .slice(0, position - 1)
      .filter((character) => character === '\n').length + 1
  );
}
