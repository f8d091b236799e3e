// What `postfork serve` has ready before it serves by whichever method.

import { resolve } from 'node:path';
import type { Identity, ServiceManager } from '../daemon/index.ts';
import { inheritedListener, parseListener, type Listener } from '../server/index.ts';
import type { Log } from './log.ts';

export interface ServeContext {
  log: Log;
  /** What to be before the application is loaded. */
  identity: Identity;
  manager: ServiceManager;
  /** Tell whoever waits for it. */
  onServing(): void;
}

/** Where to listen; a unix socket belongs to `group` unless it says otherwise itself. */
export function placeOf(listen: string | undefined, { gid }: { gid?: number } = {}): Listener {
  const place = listen === undefined ? inheritedListener() : parseListener(listen);
  if (place === undefined) {
    throw new TypeError(
      'nowhere to listen: give for example --listen unix:/run/app.sock or --listen tcp:127.0.0.1:9000',
    );
  }
  if (place.kind === 'unix') return { ...place, path: resolve(place.path), group: place.group ?? gid?.toString() };
  return place;
}

/** Whether peers are restricted: by the option, or by FCGI_WEB_SERVER_ADDRS (specification 3.2). */
export function isRestricted(allow: readonly string[] | undefined): boolean {
  return allow !== undefined || process.env['FCGI_WEB_SERVER_ADDRS'] !== undefined;
}
