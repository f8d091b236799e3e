// `postfork migrate`: makes the tables of sessions and users, and applies an application's own SQL files.

import { Command } from 'commander';
import type { MigrateFlags } from './run-migrations.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description("make the tables of sessions and users, and apply an application's own SQL files")
    .argument('[folders...]', 'folders of files such as 0001_name.sql, each [set=]folder')
    .option('-d, --database <url>', 'postgres://user:password@host:port/database (default: DATABASE_URL)')
    .option('-s, --status', 'show which files were applied and change nothing', false)
    .option('-n, --dry-run', 'show what would be applied and change nothing', false)
    .option('--no-builtin', 'leave the tables of sessions and users out')
    .addHelpText(
      'after',
      `
Each folder is one set, remembered under its own name or the one given: a set is applied as a whole, in one transaction, or not
at all. What was applied is in the table postfork_migrations. It may be run again, and by several at once.

Examples:
  $ DATABASE_URL=postgres://localhost/shop postfork migrate
  $ postfork migrate shop=db/migrations --database postgres://localhost/shop
  $ postfork migrate shop=db/migrations --status`,
    )
    .action(async (folders: string[], flags: MigrateFlags) => {
      const { runMigrations } = await import('./run-migrations.ts'); // the arbiter, of the same program, loads no database driver
      await runMigrations(folders, flags);
    });
}
