// SessionCookie: the cookie that carries a session's token.

import { HttpResponse, type CookieOptions, type HttpRequest } from '../app/index.ts';
import { isToken } from './session-store.ts';

export interface SessionCookieOptions {
  /** Default `sessionid`, as Django's. A name that begins with `__Host-` or `__Secure-` needs `secure: true`. */
  cookieName?: string;
  /** Send the cookie over https only. Default `auto`: where the request came by https. */
  secure?: 'auto' | boolean;
  /** Default `Lax`: not with requests that other sites send, but for links to here. */
  sameSite?: 'Lax' | 'Strict' | 'None';
  /** Default `/`. */
  path?: string;
  /** Default: the host alone. */
  domain?: string;
}

export class SessionCookie {
  readonly #name: string;
  readonly #secure: 'auto' | boolean;
  readonly #options: CookieOptions;

  /** Throws TypeError for what browsers would refuse. */
  constructor(options: SessionCookieOptions) {
    const { cookieName = 'sessionid', secure = 'auto', sameSite = 'Lax', path = '/', domain } = options;
    if (/^__(host|secure)-/i.test(cookieName) && secure !== true) {
      throw new TypeError(`sessions: a cookie named ${cookieName} needs secure: true`);
    }
    if (/^__host-/i.test(cookieName) && (path !== '/' || domain !== undefined)) {
      throw new TypeError(`sessions: a cookie named ${cookieName} has the path / and no domain`);
    }
    const site = sameSite.toLowerCase() as 'lax' | 'strict' | 'none';
    if (site === 'none' && secure !== true) throw new TypeError('sessions: sameSite None needs secure: true');
    this.#name = cookieName;
    this.#secure = secure;
    this.#options = { httpOnly: true, sameSite: site, path, ...(domain !== undefined && { domain }) };
    try {
      new HttpResponse().setCookie(cookieName, '', this.#options);
    } catch (error) {
      throw new TypeError(`sessions: ${(error as Error).message}`, { cause: error }); // now, not with the first login
    }
  }

  /**
   * The token that a request has; undefined for what is none. Of several cookies of the name the first that is a token: a parent
   * domain's, of Django's `sessionid` for one, may stand before ours (RFC 6265, 5.4).
   */
  read(request: HttpRequest): string | undefined {
    for (const pair of (request.header('Cookie') ?? '').split(';')) {
      const at = pair.indexOf('=');
      const value = pair.slice(at + 1).trim();
      if (at > 0 && pair.slice(0, at).trim() === this.#name && isToken(value)) return value;
    }
    return undefined;
  }

  /** `maxAge`: seconds. */
  set(request: HttpRequest, response: HttpResponse, token: string, maxAge: number): void {
    const expires = new Date(Date.now() + maxAge * 1000);
    response.setCookie(this.#name, token, { ...this.#options, secure: this.#isSecure(request), maxAge, expires });
  }

  clear(request: HttpRequest, response: HttpResponse): void {
    response.clearCookie(this.#name, { ...this.#options, secure: this.#isSecure(request) });
  }

  #isSecure(request: HttpRequest): boolean {
    return this.#secure === 'auto' ? request.scheme === 'https' : this.#secure;
  }
}
