// The temporary folder of a server: its sockets, and what else is gone with it.

import { chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { barrier, type ServerUser } from './server-user.ts';

const LONGEST = 80; // bytes: a unix socket's path has at most 103 (macOS), of which its name takes 20

/**
 * Make it, mode 0700 and the server's own: nobody else but root gets at what is in it. It is in the system's folder for such,
 * or in /tmp where that has too long a path or is closed to the server's user.
 */
export function makeServerFolder(user: ServerUser | undefined): string {
  const suits = (parent: string): boolean => Buffer.byteLength(parent) <= LONGEST - 16 && !barrier(parent, user);
  const own = resolve(tmpdir()); // TMPDIR may be relative; servers run elsewhere
  const folder = mkdtempSync(join(suits(own) ? own : '/tmp', 'postfork-'));
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  return folder;
}
