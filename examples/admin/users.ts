// Makes the example's users in the database of DATABASE_URL, and prints `NAME_PASSWORD=...` for each. Those that are there
// already get new passwords, which ends their sessions.

import { randomBytes } from 'node:crypto';
import { createUser, hashPassword } from 'postfork/auth';
import { configureDatabases, db, IntegrityError } from 'postfork/db';

const USERS = [
  { username: 'admin', isStaff: true },
  { username: 'visitor', isStaff: false },
];

async function ensureUser(username: string, isStaff: boolean, password: string): Promise<void> {
  try {
    await createUser({ username, isStaff, password });
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    const values = [username, isStaff, await hashPassword(password)];
    await db.query('UPDATE postfork_users SET is_staff = $2, password = $3 WHERE lower(username) = lower($1)', values);
  }
}

const connections = configureDatabases();
await connections.scope(async () => {
  for (const { username, isStaff } of USERS) {
    const password = randomBytes(9).toString('base64url');
    await ensureUser(username, isStaff, password);
    console.log(`${username.toUpperCase()}_PASSWORD=${password}`);
  }
});
