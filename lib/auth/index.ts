// auth/: sessions, users and passwords in PostgreSQL, and the middleware for them.

import './request-properties.ts'; // the types of request.session and request.user

export { authentication, login, logout } from './authentication.ts';
export { authMigrations } from './migrations.ts';
export { hashPassword, needsRehash, verifyPassword } from './passwords.ts';
export { requireStaff, requireUser, type RequireUserOptions } from './require-user.ts';
export { sameOrigin, type SameOriginOptions } from './same-origin.ts';
export { sameSitePath } from './same-site-path.ts';
export type { Session } from './session.ts';
export type { SessionCookieOptions } from './session-cookie.ts';
export { deleteExpiredSessions } from './session-store.ts';
export { sessions, type SessionOptions } from './sessions.ts';
export type { AnonymousUser, User } from './user.ts';
export { authenticate, createUser, setPassword, type NewUser } from './users.ts';
