// methodOverride(): lets HTML forms, which only know GET and POST, ask for PUT, PATCH and DELETE.

import { HttpError } from '../http-error.ts';
import type { Middleware } from '../pipeline.ts';

const METHODS: ReadonlySet<string> = new Set(['PUT', 'PATCH', 'DELETE']);

/**
 * A POST with an X-HTTP-Method-Override header, or `_method` in its query, has that method for the layers within: PUT, PATCH or
 * DELETE; any other is answered with 400. Put it before what checks methods, such as protection against forged requests.
 */
export function methodOverride(): Middleware {
  return (request, next) => {
    if (request.method === 'POST') {
      const asked = request.header('X-HTTP-Method-Override') ?? request.query.get('_method');
      const method = asked?.toUpperCase();
      if (method !== undefined && method !== 'POST') {
        if (!METHODS.has(method)) throw new HttpError(400, 'a POST may stand for PUT, PATCH or DELETE');
        request.method = method;
      }
    }
    return next(request);
  };
}
