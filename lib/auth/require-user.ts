// requireUser(), requireStaff(): layers that let only some users in.

import { HttpError, HttpResponse, type HttpRequest, type Middleware } from '../app/index.ts';
import { requireLayer } from './request-properties.ts';
import { sameSitePath } from './same-site-path.ts';
import type { User } from './user.ts';

export interface RequireUserOptions {
  /**
   * The page to log in, a path of this site such as `/login`, the mount included: who is nobody is sent there, with
   * `?next=` the way back. The page itself is let through. Default: 401.
   */
  loginUrl?: string;
}

/**
 * Lets users in. Anonymous: GET and HEAD are redirected to `loginUrl`, where there is one; anything else is 401. Put it inside
 * of `authentication()`. Throws TypeError for a loginUrl that is no path of this site.
 */
export function requireUser(options: RequireUserOptions = {}): Middleware {
  return guard('requireUser', options, () => true);
}

/** As `requireUser`, and users that are not staff get 403. Django's staff_member_required. */
export function requireStaff(options: RequireUserOptions = {}): Middleware {
  return guard('requireStaff', options, (user) => user.isStaff);
}

function guard(by: string, { loginUrl }: RequireUserOptions, mayEnter: (user: User) => boolean): Middleware {
  if (loginUrl !== undefined && sameSitePath(loginUrl) === undefined) {
    throw new TypeError(`${by}: loginUrl "${loginUrl}" is no path of this site, such as /login`);
  }
  return async (request, next) => {
    requireLayer(request, 'user', by);
    if (loginUrl !== undefined && pathOf(request.target) === pathOf(loginUrl)) return next(request);
    const user = await request.user;
    if (!user.isAuthenticated) return refuse(request, loginUrl);
    if (!mayEnter(user)) throw new HttpError(403);
    return next(request);
  };
}

function refuse(request: HttpRequest, loginUrl: string | undefined): HttpResponse {
  const { sentMethod, target } = request;
  if (loginUrl === undefined || (sentMethod !== 'GET' && sentMethod !== 'HEAD')) {
    throw new HttpError(401, undefined, { headers: { 'WWW-Authenticate': 'Cookie' } }); // RFC 9110, 15.5.2: it must be there
  }
  const back = sameSitePath(target);
  if (back === undefined) return HttpResponse.redirect(loginUrl);
  return HttpResponse.redirect(`${loginUrl}${loginUrl.includes('?') ? '&' : '?'}next=${encodeURIComponent(back)}`);
}

function pathOf(target: string): string {
  return target.replace(/[?#].*$/, '');
}
