// The absolute URL of a request as the platform writes it, mostly without parsing one.

import type { HttpRequest } from '../../app/index.ts';

const MAX_ORIGINS = 100;
const MAX_LENGTH = 100; // characters of an origin that is kept

// What a URL parser leaves as it stands; it would resolve `/.`, and decode `%2e` as a dot to do so.
const PLAIN = /^(?:[\w\-~!$&()*+,;=:@/?]|\.(?<!\/\.)|%(?!2[eE]))*$/;

/** Origins by scheme and host as they were sent: the same few come again and again. */
export class Origins {
  readonly #known: Map<string, string> = new Map();

  /** `https://example.com:8443`. Throws HttpError 400 where the host is none. */
  of(request: HttpRequest): string {
    const sent = `${request.scheme}://${request.host}`;
    const known = this.#known.get(sent);
    if (known !== undefined) return known;
    const { origin } = request.url;
    if (sent.length <= MAX_LENGTH) {
      if (this.#known.size >= MAX_ORIGINS) this.#known.clear();
      this.#known.set(sent, origin);
    }
    return origin;
  }
}

/**
 * Path and query as the client sent them; below a mount the path begins there, as frameworks have it with the applications
 * that they mount.
 */
export function requestUrl(origin: string, request: HttpRequest): string {
  const { target } = request;
  let below = target;
  if (request.mount !== '') {
    const query = target.indexOf('?');
    below = query < 0 ? request.path : request.path + target.slice(query);
  }
  return PLAIN.test(below) ? origin + below : new URL(origin + below).href;
}
