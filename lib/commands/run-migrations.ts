// What `postfork migrate` does.

import { authMigrations } from '../auth/index.ts';
import { configureDatabases, migrate, migrationStatus, type Migration, type MigrationSet } from '../db/index.ts';

export interface MigrateFlags {
  database?: string;
  status: boolean;
  dryRun: boolean;
  builtin: boolean;
}

export async function runMigrations(given: readonly string[], flags: MigrateFlags): Promise<void> {
  const url = flags.database ?? process.env['DATABASE_URL'];
  if (url === undefined || url === '') {
    throw new Error('which database? Set DATABASE_URL, or give --database postgres://user:password@host:port/database');
  }
  const folders = [...(flags.builtin ? [authMigrations] : []), ...given.map(setOf)];
  if (folders.length === 0) throw new Error('nothing to apply: with --no-builtin name a folder');
  const connections = configureDatabases({ default: { url, applicationName: 'postfork migrate' } });
  try {
    if (flags.status) await showStatus(folders);
    else await apply(folders, flags.dryRun);
  } finally {
    await connections.closeAll();
  }
}

async function showStatus(folders: readonly MigrationSet[]): Promise<void> {
  for (const { migration, appliedAt } of await migrationStatus({ folders })) {
    say(`${labelOf(migration)}  ${appliedAt === undefined ? 'not applied' : `applied ${appliedAt.toISOString()}`}`);
  }
}

async function apply(folders: readonly MigrationSet[], dryRun: boolean): Promise<void> {
  const onApply = (migration: Migration): void => say(`applying ${labelOf(migration)}`);
  const migrations = await migrate({ folders, dryRun, onApply });
  if (dryRun) for (const migration of migrations) say(`would apply ${labelOf(migration)}`);
  if (migrations.length === 0) say('nothing to do');
  else if (!dryRun) say(`applied ${migrations.length}`);
}

/** `shop=db/migrations`, or the folder alone. */
function setOf(text: string): MigrationSet {
  const match = /^([\w.-]+)=(.+)$/.exec(text);
  return match === null ? { folder: text } : { set: match[1] as string, folder: match[2] as string };
}

function labelOf({ set, name }: Migration): string {
  return `${set}/${name}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
