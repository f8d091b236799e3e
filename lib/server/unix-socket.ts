// A unix socket's file: put in place at once with its mode, never over a live one, taken away only if it is still ours.

import type { Stats } from 'node:fs';
import { chmod, chown, lstat, readFile, rename, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';

const MAX_PATH = 107; // sun_path has 108 bytes with its end; Node cuts a longer path off silently

export interface UnixSocket {
  path: string;
  /** Permissions of the file; who may connect needs to write. */
  mode: number;
  /** Group of the file, by name or number. */
  group: string | undefined;
}

/** A socket that is bound under a temporary name. */
export interface PlacedSocket {
  /** Put it in place, over what an earlier process has left there; not where it is removed already. */
  publish(): Promise<void>;
  /** Take the file away, wherever it is, if it is still ours. */
  remove(): Promise<void>;
}

/**
 * Bind a path: under a temporary name, with its mode and group. Put in place by a rename it is never there without being
 * ready, and what an earlier process left is replaced in one step. Rejects where something else than a socket is at the
 * path, or a server that answers.
 */
export async function placeUnixSocket(
  { path, mode, group }: UnixSocket,
  bind: (temporary: string) => Promise<void>,
): Promise<PlacedSocket> {
  const temporary = join(dirname(path), `.${process.pid}.${Math.random().toString(36).slice(2, 8)}`);
  for (const name of [path, temporary]) {
    if (Buffer.byteLength(name) > MAX_PATH) {
      throw new Error(`${name} is longer than the ${MAX_PATH} bytes of a unix socket's path; use a shorter folder`);
    }
  }
  await makeWay(path);
  try {
    await bind(temporary);
  } catch (error) {
    throw explained(error as NodeJS.ErrnoException, path);
  }
  try {
    if (group !== undefined) await chown(temporary, -1, await groupId(group));
    await chmod(temporary, mode);
    const ours = await lstat(temporary);
    let publishing: Promise<void> | undefined;
    let removed = false;
    return {
      publish: async () => {
        if (!removed) await (publishing ??= rename(temporary, path));
      },
      remove: async () => {
        removed = true;
        // A process may be told to stop at any moment, so also while the file is being renamed.
        const published = publishing?.then(
          () => true,
          () => false,
        );
        await removeIfOurs((await published) === true ? path : temporary, ours);
      },
    };
  } catch (error) {
    await unlink(temporary).catch(() => {}); // the error that matters is the first
    throw error;
  }
}

/** Make sure that nobody is served at the path. */
async function makeWay(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket; remove it or choose another path`);
  if (await answers(path)) {
    const text = `${path}: another server is listening there; stop it first or choose another path`;
    throw Object.assign(new Error(text), { code: 'EADDRINUSE' }); // as for a TCP port
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else if (error.code === 'EAGAIN')
        resolve(true); // its backlog is full
      else reject(new Error(`${path} cannot be tried: ${error.message}`, { cause: error }));
    });
  });
}

/** The number of a file that is gone is soon given to another; the time tells them apart. */
async function removeIfOurs(path: string, ours: Stats): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.ino !== ours.ino || found.mtimeMs !== ours.mtimeMs) return;
  await unlink(path).catch(() => {}); // gone between the two: what was wanted
}

async function groupId(group: string): Promise<number> {
  if (/^\d+$/.test(group)) return Number(group);
  for (const line of (await readFile('/etc/group', 'utf8')).split('\n')) {
    const [name, , id] = line.split(':');
    if (name === group) return Number(id);
  }
  throw new Error(`there is no group ${group} on this system`);
}

function explained(error: NodeJS.ErrnoException, path: string): Error {
  const folder = dirname(path);
  const why = error.code === 'EACCES' ? `its folder ${folder} does not exist or may not be written to` : error.message;
  return new Error(`cannot listen on ${path}: ${why}`, { cause: error });
}
