// sessions(): server-side sessions in PostgreSQL (django/contrib/sessions).

import { HttpResponse, type HttpRequest, type Middleware, type StreamBody } from '../app/index.ts';
import { LazySession } from './lazy-session.ts';
import { addProperty } from './request-properties.ts';
import { SessionCookie, type SessionCookieOptions } from './session-cookie.ts';

export interface SessionOptions extends SessionCookieOptions {
  /** Seconds from a session's last change to its end. Default two weeks, as Django's SESSION_COOKIE_AGE. */
  maxAge?: number;
  /** Save it with every request that has one, so that it ends `maxAge` after its last use. Default false, as Django's. */
  saveEveryRequest?: boolean;
  /** The most bytes of its data as JSON. Default 64 KiB. */
  maxBytes?: number;
}

const TWO_WEEKS = 14 * 24 * 60 * 60;
const LONGEST = 400 * 24 * 60 * 60; // browsers keep no cookie longer (RFC 6265bis, 5.5)
const MAX_BYTES = 64 * 1024;

/**
 * Gives requests a `session`: `const session = await request.session`. A request that does not ask for it makes no query;
 * the first to ask makes one, which brings the user too. The cookie has a random token of 256 bits, the table its SHA-256.
 * It is saved behind the handler where it was changed, unless the answer is an error of the server (5xx); one that is new
 * and empty is not. A token that the table does not know opens nothing and is never used. Answers of requests that asked
 * have `Vary: Cookie`, and `Cache-Control: private, no-cache` unless they say something else. Needs the tables that
 * `postfork migrate` makes. Where a layer outside gives sessions already, that one's are used. Throws TypeError or
 * RangeError for options that are none.
 */
export function sessions(options: SessionOptions = {}): Middleware {
  const { maxAge = TWO_WEEKS, saveEveryRequest = false, maxBytes = MAX_BYTES } = options;
  if (!Number.isInteger(maxAge) || maxAge < 1 || maxAge > LONGEST) {
    throw new RangeError(`sessions: maxAge is a whole number of seconds from 1 to ${LONGEST} (400 days)`);
  }
  if (!(maxBytes > 0)) throw new RangeError('sessions: maxBytes is a number of bytes');
  const cookie = new SessionCookie(options);
  return async (request, next) => {
    if ('session' in request) return next(request);
    const lazy = new LazySession(cookie.read(request), maxBytes);
    addProperty(request, 'session', () => lazy.load());
    const response = await next(request);
    if (saveEveryRequest && lazy.hasToken) void lazy.load().catch(() => {}); // it is in `loaded`
    try {
      return await finish(request, response, lazy, { cookie, maxAge, always: saveEveryRequest });
    } catch (error) {
      discard(response.body);
      throw error;
    }
  };
}

async function finish(
  request: HttpRequest,
  response: HttpResponse,
  lazy: LazySession,
  { cookie, maxAge, always }: { cookie: SessionCookie; maxAge: number; always: boolean },
): Promise<HttpResponse> {
  const session = await lazy.loaded();
  lazy.seal(session);
  if (!lazy.touched) return response;
  const token = response.status < 500 ? await session?.save(maxAge, always) : undefined;
  const forget = token === undefined && session?.destroyed === true;
  // A response that handlers give to several requests must not carry one's cookie to another.
  const answer = token !== undefined || forget ? copyOf(response) : response;
  if (token !== undefined) cookie.set(request, answer, token, maxAge);
  if (forget) cookie.clear(request, answer);
  keepPrivate(answer, answer !== response);
  return answer;
}

/** It is for one client: caches must know. What the handler says of it stays, unless it would share a cookie. */
function keepPrivate({ headers }: HttpResponse, hasCookie: boolean): void {
  headers.vary('Cookie');
  const said = headers.get('Cache-Control');
  if (said === undefined || (hasCookie && !/\b(?:private|no-store)\b/i.test(said))) {
    headers.set('Cache-Control', 'private, no-cache');
  }
}

function copyOf(response: HttpResponse): HttpResponse {
  const copy = new HttpResponse(response.body, { status: response.status, headers: response.headers });
  copy.error = response.error;
  copy.unexpected = response.unexpected;
  copy.typed = response.typed;
  return copy;
}

/** Free the body of a response that is not sent: another one takes its place. */
function discard(body: unknown): void {
  if (typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)) return;
  if ('destroy' in body && typeof body.destroy === 'function') body.destroy();
  else void Promise.resolve((body as StreamBody)[Symbol.asyncIterator]().return?.()).catch(() => {});
}
