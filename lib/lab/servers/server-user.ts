// Who a server runs as: PostgreSQL and pgbouncer refuse to be root.

import { statSync, type Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { resolveUser } from '../../daemon/index.ts';

/** Numbers of a user and its group. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Undefined: as we are. For root it is `nobody`; throws Error where there is none. */
export function serverUser(): ServerUser | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const { uid, gid } = resolveUser({ user: 'nobody' });
  if (uid === undefined || gid === undefined) throw new Error('user nobody has no group on this system');
  return { uid, gid };
}

/**
 * The first folder on the way to a path, the path included, that a user may not enter; undefined where there is none.
 * It goes by the permission bits, as they are for a user without further groups.
 */
export function barrier(path: string, user: ServerUser | undefined): string | undefined {
  if (user === undefined) return undefined;
  const folders: string[] = [];
  for (let at = resolve(path); folders.at(-1) !== at; at = dirname(at)) folders.push(at);
  return folders.toReversed().find((folder) => !mayEnter(statSync(folder), user));
}

function mayEnter(stats: Stats, { uid, gid }: ServerUser): boolean {
  const shift = stats.uid === uid ? 6 : stats.gid === gid ? 3 : 0;
  return ((stats.mode >> shift) & 1) !== 0;
}
