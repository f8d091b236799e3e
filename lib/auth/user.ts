// User and the anonymous one: who a request is from.

import { createHash } from 'node:crypto';

/** A user's columns, as the queries of this folder name them. */
export interface UserRow {
  /** bigint: pg gives text. */
  id: string;
  username: string;
  /** Hexadecimal. */
  user_hash: string;
  is_active: boolean;
  is_staff: boolean;
  is_superuser: boolean;
  /** ms since 1970, as date_joined. */
  last_login: number | null;
  date_joined: number;
}

/**
 * The columns of UserRow; `u` is postfork_users. Text and numbers: what becomes of bytea and timestamptz is for the application to
 * say, by the setting `types`.
 */
export const USER_COLUMNS: string =
  "u.id, u.username, encode(sha256(convert_to(u.password, 'UTF8')), 'hex') AS user_hash, u.is_active, u.is_staff, " +
  'u.is_superuser, extract(epoch FROM u.last_login)::float8 * 1000 AS last_login, ' +
  'extract(epoch FROM u.date_joined)::float8 * 1000 AS date_joined';

/** A user as it was when it was read: a row of postfork_users, without the password. Django's auth.User. */
export class User {
  readonly isAuthenticated = true;
  readonly id: number;
  readonly username: string;
  /** Users that are not are anonymous. */
  readonly isActive: boolean;
  /** Whether `requireStaff` lets it in. */
  readonly isStaff: boolean;
  readonly isSuperuser: boolean;
  readonly lastLogin: Date | undefined;
  readonly dateJoined: Date;
  readonly #hash: Buffer;

  constructor(row: UserRow) {
    this.id = Number(row.id);
    this.username = row.username;
    this.isActive = row.is_active;
    this.isStaff = row.is_staff;
    this.isSuperuser = row.is_superuser;
    this.lastLogin = row.last_login === null ? undefined : new Date(row.last_login);
    this.dateJoined = new Date(row.date_joined);
    this.#hash = Buffer.from(row.user_hash, 'hex');
  }

  /** SHA-256 of the password column: what ties a session to the password it was begun with. Not seen by logs and JSON. */
  static hashOf(user: User): Buffer {
    return user.#hash;
  }
}

/** `User.hashOf` of a user with this password column. */
export function userHash(password: string): Buffer {
  return createHash('sha256').update(password).digest();
}

/** Nobody in particular. Django's AnonymousUser. */
export interface AnonymousUser {
  readonly isAuthenticated: false;
  readonly id: undefined;
  readonly username: '';
  readonly isActive: false;
  readonly isStaff: false;
  readonly isSuperuser: false;
}

export const ANONYMOUS: AnonymousUser = Object.freeze({
  isAuthenticated: false,
  id: undefined,
  username: '',
  isActive: false,
  isStaff: false,
  isSuperuser: false,
});
