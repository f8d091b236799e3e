// A cluster: the folder with PostgreSQL's data, made when it is missing.

import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { PostgresBinaries } from './postgres-binaries.ts';
import { ServerProcess, type ServerProcessOptions } from './server-process.ts';
import { barrier, type ServerUser } from './server-user.ts';

/** PostgreSQL's superuser in clusters of ours. */
export const SUPERUSER = 'postgres';

const PASSWORD_FILE = 'postfork.password';
const INITIALIZED_WITHIN = 60_000; // ms
const SINGLE_WITHIN = 60_000; // ms

export interface Cluster {
  readonly data: string;
  readonly user: ServerUser | undefined;
  /** Undefined for a cluster that somebody else has made. */
  readonly password: string | undefined;
}

/**
 * Whose processes those of a data folder are: its owner, since PostgreSQL serves no data of others; for a new folder the given
 * user. Rejects where the folder has other things in it than a cluster.
 */
export async function clusterUser(folder: string, user: ServerUser | undefined): Promise<ServerUser | undefined> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0 || (user === undefined && names.includes('PG_VERSION'))) return user;
  if (!names.includes('PG_VERSION')) {
    throw new Error(`${folder} is neither empty nor the data of a PostgreSQL server: name another folder`);
  }
  const { uid, gid } = await stat(folder);
  if (uid === 0) throw new Error(`${folder} is root's, and PostgreSQL does not run as root: chown it to another user`);
  return { uid, gid };
}

/**
 * Make the cluster where the folder is missing or empty (half a second, initdb): UTF-8, the C.UTF-8 order of PostgreSQL's own,
 * a generated password for TCP (scram-sha-256), none on the unix socket. The password is kept in the folder, for the next time.
 */
export async function prepareCluster(
  place: { data: string; temporary: boolean },
  binaries: PostgresBinaries,
  options: ServerProcessOptions,
): Promise<Cluster> {
  const data = resolve(place.data);
  const { user } = options;
  await mkdir(data, { recursive: true, mode: 0o700 });
  const blocked = barrier(join(data, '..'), user);
  if (blocked !== undefined) throw new Error(`${blocked} is closed to user ${user?.uid}, as whom PostgreSQL runs`);
  if ((await readdir(data)).length > 0) {
    return { data, user, password: await readFile(join(data, PASSWORD_FILE), 'utf8').catch(() => undefined) };
  }
  if (user !== undefined) await chown(data, user.uid, user.gid);
  const password = randomBytes(16).toString('hex');
  const file = join(options.folder, PASSWORD_FILE); // initdb wants the data folder empty
  await writePassword(file, password, user);
  const access = ['-D', data, '-U', SUPERUSER, `--pwfile=${file}`, '--auth-local=trust', '--auth-host=scram-sha-256'];
  const text = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const sync = place.temporary ? ['--no-sync'] : [];
  const initdb = new ServerProcess(binaries.initdb, [...access, ...text, ...sync, '--no-instructions'], options);
  await initdb.succeeds(INITIALIZED_WITHIN);
  await rm(file);
  await writePassword(join(data, PASSWORD_FILE), password, user);
  return { data, user, password };
}

/** Create a database where there is none of that name, in a cluster whose server does not run (postgres --single). */
export async function createDatabase(
  name: string,
  { data }: Cluster,
  binaries: PostgresBinaries,
  options: ServerProcessOptions,
): Promise<void> {
  if (/[\n\0]/.test(name) || name === '') throw new Error('the name of a database is one line of text');
  const input = `CREATE DATABASE "${name.replaceAll('"', '""')}"\n`;
  const single = new ServerProcess(binaries.postgres, ['--single', '-D', data, 'template1'], { ...options, input });
  await single.succeeds(SINGLE_WITHIN);
  const problem = /ERROR: .*/.exec(single.log)?.[0];
  if (problem !== undefined && !/database ".*" already exists/.test(problem)) throw single.failed(problem);
}

async function writePassword(file: string, password: string, user: ServerUser | undefined): Promise<void> {
  await writeFile(file, password, { mode: 0o600, flag: 'wx' });
  if (user !== undefined) await chown(file, user.uid, user.gid);
}
