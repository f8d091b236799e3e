// Where the SQL of the tables of users and sessions is.

import { fileURLToPath } from 'node:url';

/** The tables of users and sessions, for `migrate({ folders: [authMigrations] })`; `postfork migrate` has them by itself. */
export const authMigrations: { readonly set: string; readonly folder: string } = {
  set: 'postfork',
  folder: fileURLToPath(new URL('../../lib/auth/migrations', import.meta.url)), // tsc copies no SQL to dist/
};
