// migrations/: plain numbered SQL files, each applied once.

export {
  migrate,
  migrationStatus,
  type MigrateOptions,
  type MigrationState,
  type MigrationsOptions,
} from './migrate.ts';
export { MigrationError, type MigrationErrorCode } from './migration-error.ts';
export type { Migration, MigrationSet } from './read-folder.ts';
