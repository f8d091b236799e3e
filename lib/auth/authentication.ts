// authentication(), login, logout: who a request is from (django/contrib/auth).

import type { HttpRequest, Middleware } from '../app/index.ts';
import { addProperty, requireLayer } from './request-properties.ts';
import { ANONYMOUS, type AnonymousUser, type User } from './user.ts';
import { noteLogin } from './users.ts';

/**
 * Gives requests a `user`: `const user = await request.user`, a User or the anonymous one (`isAuthenticated` false). It
 * comes with the session, by the same query, when either is first asked for. Users that are inactive, and sessions begun
 * with a password that has changed since, are anonymous. Put it inside of `sessions()`.
 */
export function authentication(): Middleware {
  return (request, next) => {
    requireLayer(request, 'session', 'authentication()');
    addProperty(request, 'user', () => userOf(request));
    return next(request);
  };
}

async function userOf(request: HttpRequest): Promise<User | AnonymousUser> {
  return (await request.session).user ?? ANONYMOUS;
}

/**
 * From now on the client is this user, whom `authenticate` has given: the session gets a new token, against session fixation,
 * and keeps its data unless they are another user's. A change of the user's password ends it. Rejects with Error where
 * no layer gives sessions.
 */
export async function login(request: HttpRequest, user: User): Promise<void> {
  requireLayer(request, 'session', 'login');
  const session = await request.session;
  session.signIn(user);
  await noteLogin(user);
}

/** The client is nobody again: its session is deleted at once, data and all. Rejects as `login` does. */
export async function logout(request: HttpRequest): Promise<void> {
  requireLayer(request, 'session', 'logout');
  await (await request.session).destroy();
}
