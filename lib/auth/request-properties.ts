// request.session and request.user: what the middleware of this folder gives requests, and its types.

import type { HttpRequest } from '../app/index.ts';
import type { Session } from './session.ts';
import type { AnonymousUser, User } from './user.ts';

declare module '../app/http-request.ts' {
  interface HttpRequest {
    /** The client's session, read when it is first asked for. There where `sessions()` is used. */
    readonly session: Promise<Session>;
    /** Who the request is from, read with the session. There where `authentication()` is used. */
    readonly user: Promise<User | AnonymousUser>;
  }
}

export function addProperty(request: HttpRequest, name: 'session' | 'user', get: () => Promise<unknown>): void {
  Object.defineProperty(request, name, { get, enumerable: true, configurable: true });
}

/** Throws Error where no layer has given the request this property. `by`: who needs it. */
export function requireLayer(request: HttpRequest, name: 'session' | 'user', by: string): void {
  if (name in request) return;
  throw new Error(`${by} needs the middleware ${name === 'session' ? 'sessions()' : 'authentication()'} around it`);
}
