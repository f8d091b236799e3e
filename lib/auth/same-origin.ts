// sameOrigin(): protection against forged requests (CSRF) by what browsers say of where a request comes from.

import { HttpError, type HttpRequest, type Middleware } from '../app/index.ts';

export interface SameOriginOptions {
  /** Origins of other sites that may send unsafe requests: `https://example.org`. Default: none. */
  trustedOrigins?: readonly string[];
}

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Refuses unsafe requests (all but GET, HEAD and OPTIONS) that a page of another origin had a browser send, with 403. As
 * http.CrossOriginProtection of Go 1.25: Sec-Fetch-Site decides where it is there, else Origin must be of the host asked for;
 * what has neither comes from no browser of the last years and is let through. SameSite cookies do not protect logins, and
 * know sites, not origins. Throws TypeError for a trusted origin that is none.
 */
export function sameOrigin(options: SameOriginOptions = {}): Middleware {
  const trusted = new Set(options.trustedOrigins);
  for (const origin of trusted) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new TypeError(`sameOrigin: "${origin}" is no origin, such as https://example.org`);
    }
  }
  return (request, next) => {
    if (!SAFE.has(request.sentMethod) && !isSameOrigin(request) && !trusted.has(request.header('Origin') ?? '')) {
      throw new HttpError(403, 'the request comes from another site');
    }
    return next(request);
  };
}

function isSameOrigin(request: HttpRequest): boolean {
  const site = request.header('Sec-Fetch-Site');
  if (site) return site === 'same-origin' || site === 'none'; // none: typed by the user
  const origin = request.header('Origin');
  if (!origin) return true;
  // The host alone: where a proxy ends TLS the scheme may not be known.
  return URL.canParse(origin) && new URL(origin).host === request.host.toLowerCase();
}
