// MigrationError: why migrations were not applied.

/**
 * - `BAD_FOLDER`: it cannot be read, holds no migration, or one that is not named like `0001_name.sql`; two files have one
 *   number, or two folders one set's name.
 * - `CHANGED`: a file is not what it was when it was applied.
 * - `MISSING`: a file that was applied is not there.
 * - `OUT_OF_ORDER`: a file has a lower number than one that was applied.
 * - `FAILED`: the server refused a file's SQL, or it ended the transaction; nothing of its set was applied.
 * - `LOCKED`: another process did not finish its migrations in time.
 */
export type MigrationErrorCode = 'BAD_FOLDER' | 'CHANGED' | 'MISSING' | 'OUT_OF_ORDER' | 'FAILED' | 'LOCKED';

/** Migrations were not applied; `code` tells why, `cause` has the database's error where there is one. */
export class MigrationError extends Error {
  override name = 'MigrationError';
  readonly code: MigrationErrorCode;

  constructor(code: MigrationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
