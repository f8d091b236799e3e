// Users in postfork_users: made, recognised, given another password.

import { db } from '../db/index.ts';
import { admitted, hashPassword, needsRehash, NO_PASSWORD, verifyPassword } from './passwords.ts';
import { User, USER_COLUMNS, userHash, type UserRow } from './user.ts';

export interface NewUser {
  /** 1 to 150 characters; unique in whatever case. */
  username: string;
  /** Default: none, and no password lets the user in. */
  password?: string;
  /** Default true. */
  isActive?: boolean;
  /** Default false. */
  isStaff?: boolean;
  /** Default false. */
  isSuperuser?: boolean;
}

const MAX_USERNAME = 150;

/**
 * Make a user. Upper and lower case of names is the database's (its locale). Rejects with IntegrityError, `constraint`
 * `postfork_users_username`, where the name is taken; RangeError for a name or password that is none. A name has no characters that
 * nobody sees.
 */
export async function createUser(user: NewUser): Promise<User> {
  const { password, isActive = true, isStaff = false, isSuperuser = false } = user;
  const username = usernameOf(user.username);
  if (username === undefined) {
    throw new RangeError(
      `a username has 1 to ${MAX_USERNAME} characters, none of them a blank at an end, a control or invisible`,
    );
  }
  const encoded = password === undefined ? NO_PASSWORD : await hashPassword(password);
  const { rows } = await db.query<UserRow>(
    `INSERT INTO postfork_users AS u (username, password, is_active, is_staff, is_superuser)
     VALUES ($1, $2, $3, $4, $5) RETURNING ${USER_COLUMNS}`,
    [username, encoded, isActive, isStaff, isSuperuser],
    { name: 'postfork: create user' },
  );
  return new User(rows[0] as UserRow);
}

/**
 * The user with this name, in whatever case, and password; undefined where there is none or it is not active. It takes the
 * time of a hash whether there is such a user or not. A hash of another cost than today's is replaced. Rejects with
 * HttpError 503 where more than 128 passwords wait to be checked: limit attempts by client and name where strangers can come.
 * Meanwhile others can have the database connection (`db.release()`).
 */
export function authenticate(
  username: string | null | undefined,
  password: string | null | undefined,
): Promise<User | undefined> {
  return admitted(() => check(username ?? '', password ?? ''));
}

async function check(username: string, given: string): Promise<User | undefined> {
  const row = await findByName(username);
  await db.release(); // a hash takes its time, and more of them wait for it
  if (!(await verifyPassword(given, row?.password)) || row === undefined || !row.is_active) return undefined;
  if (!needsRehash(row.password)) return new User(row);
  // Undefined: another login has replaced the hash meanwhile, or the password has changed. Then what is there now counts.
  return (await replacePassword(row.id, row.password, await hashPassword(given))) ?? check(username, given);
}

/**
 * Give a user another password; resolves to the user as it is now. All of its sessions end; `login` with what this resolves to
 * keeps the present one. Rejects with RangeError for a password that is none, or where there is no such user.
 */
export async function setPassword(user: Pick<User, 'id'>, password: string): Promise<User> {
  const { rows } = await db.query<UserRow>(
    `UPDATE postfork_users u SET password = $2 WHERE id = $1 RETURNING ${USER_COLUMNS}`,
    [user.id, await hashPassword(password)],
    { name: 'postfork: set password' },
  );
  if (rows[0] === undefined) throw new RangeError(`there is no user ${user.id}`);
  return new User(rows[0]);
}

/** For `login`. */
export async function noteLogin(user: User): Promise<void> {
  await db.query('UPDATE postfork_users SET last_login = now() WHERE id = $1', [user.id], {
    name: 'postfork: note login',
  });
}

async function findByName(username: string): Promise<(UserRow & { password: string }) | undefined> {
  const name = usernameOf(username);
  if (name === undefined) return undefined;
  const { rows } = await db.query<UserRow & { password: string }>(
    `SELECT ${USER_COLUMNS}, u.password FROM postfork_users u WHERE lower(u.username) = lower($1)`,
    [name],
    { name: 'postfork: find user' },
  );
  return rows[0];
}

/** Undefined where somebody else has set another password meanwhile: that one stays. The sessions of the user go on. */
async function replacePassword(id: string, old: string, encoded: string): Promise<User | undefined> {
  const { rows } = await db.query<UserRow>(
    `WITH changed AS (
       UPDATE postfork_users u SET password = $3 WHERE id = $1 AND password = $2 RETURNING ${USER_COLUMNS}
     ), kept AS (
       UPDATE postfork_sessions SET user_hash = $5 WHERE user_id = (SELECT id FROM changed) AND user_hash = $4
     )
     SELECT * FROM changed`,
    [id, old, encoded, userHash(old), userHash(encoded)],
    { name: 'postfork: replace password' },
  );
  return rows[0] && new User(rows[0]);
}

// Of its characters none that ends a line, and none that is drawn as nothing (Unicode, 5.21): `admin` and a zero-width space.
const NOT_IN_NAMES = /[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}\p{Default_Ignorable_Code_Point}]/u;

/** In NFKC, as Django's normalize_username: what looks the same is the same. Undefined for what is none. */
function usernameOf(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_USERNAME) return undefined;
  const name = text.normalize('NFKC');
  if (name === '' || name.length > MAX_USERNAME || name.trim() !== name) return undefined;
  return NOT_IN_NAMES.test(name) ? undefined : name;
}
