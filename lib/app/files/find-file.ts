// Finds a file by a path that may come from outside, without ever leaving a folder.

import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { HttpError } from '../http-error.ts';

// What a path from outside can cause; anything else, such as EACCES or EMFILE, is trouble of our own.
const NOT_THERE: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP', 'ENXIO']);

/** The real path of a file that the application names. Rejects with HttpError 404 where there is none. */
export async function findFile(path: string): Promise<string> {
  if (path.includes('\0')) throw new HttpError(404);
  return orNotFound(realpath(resolve(path)));
}

/**
 * The real path of a file below `root`, whatever the path is. Rejects with HttpError 404 for a path that is absolute, has `..`,
 * `\` or NUL in it, leads out of the folder by a symbolic link, to nothing, or, unless `hidden`, to a name that begins with a dot.
 */
export async function findFileBelow(root: string, path: string, hidden: boolean): Promise<string> {
  // eslint-disable-next-line no-control-regex
  if (/[\0\\]/.test(path)) throw new HttpError(404);
  for (const name of path.split('/')) {
    if (name === '' || name === '.' || name === '..' || (!hidden && name.startsWith('.'))) throw new HttpError(404);
  }
  const folder = await realpath(root); // each time: a deployment may switch a link
  const real = await orNotFound(realpath(join(folder, path)));
  if (!isBelow(folder, real)) throw new HttpError(404);
  return real;
}

/** Whether an absolute path is one of something within a folder; both without links. */
export function isBelow(folder: string, path: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Rejects with HttpError 404 where the file system says that there is no such file. */
export async function orNotFound<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (NOT_THERE.has((error as NodeJS.ErrnoException).code)) throw new HttpError(404, undefined, { cause: error });
    throw error;
  }
}
