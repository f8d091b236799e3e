// Mounts: the paths of an application below which another one answers.

import type { HttpRequest } from './http-request.ts';
import type { HttpResponse } from './http-response.ts';
import type { AppHandler, Next } from './pipeline.ts';

export class Mounts {
  readonly #mounts: { prefix: string; handle: Next }[] = []; // the longest first

  /** Throws TypeError for what is no path, and for the root. */
  add(path: string, handle: Next): void {
    const prefix = mountPath(path);
    if (prefix === '') throw new TypeError('mount: give a path such as /admin');
    this.#mounts.push({ prefix, handle });
    this.#mounts.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  /** Ask what is mounted where the request's path leads; undefined where nothing is. */
  route(request: HttpRequest): Promise<HttpResponse> | undefined {
    for (const { prefix, handle } of this.#mounts) {
      if (request.path === prefix || request.path.startsWith(`${prefix}/`)) return below(request, prefix, handle);
    }
    return undefined;
  }
}

async function below(request: HttpRequest, prefix: string, handle: Next): Promise<HttpResponse> {
  const leave = request.enter(prefix);
  try {
    return await handle(request);
  } finally {
    leave();
  }
}

/** Throws TypeError for what others wrote: `(req, res)`, an object with `fetch`. */
export function oneOfOurs(handler: AppHandler): AppHandler {
  if (typeof handler === 'function' && handler.length <= 1 && !('handle' in handler) && !('fetch' in handler))
    return handler;
  throw new TypeError(
    "mount: this is neither an Application nor a handler (request); of what others wrote one is made by adapt(), from 'postfork/node'",
  );
}

/** '' for the root, else with a slash before and none behind. */
export function mountPath(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed !== '' && !/^\/[^?#\s]*$/.test(trimmed)) throw new TypeError(`mount: "${path}" does not begin with /`);
  return trimmed;
}
