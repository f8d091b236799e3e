// Migrations as files: `0001_name.sql`, `0002_other.sql`, ... in a folder.

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { MigrationError } from './migration-error.ts';

/** The migrations of one application, numbered from each other's. */
export interface MigrationSet {
  /** How they are remembered in the database. Default: the folder's name. */
  readonly set?: string;
  readonly folder: string;
}

/** One file. */
export interface Migration {
  readonly set: string;
  /** The file's. */
  readonly name: string;
  readonly path: string;
  readonly sql: string;
  /** SHA-256 in hex, whatever the lines end with. */
  readonly checksum: string;
}

export interface ReadSet {
  readonly set: string;
  readonly migrations: readonly Migration[];
}

const NAME = /^(\d{4})_[\w.-]+\.sql$/;

/** The files of each folder in their order. Rejects with MigrationError BAD_FOLDER. */
export async function readFolders(folders: readonly (string | MigrationSet)[]): Promise<ReadSet[]> {
  const sets: ReadSet[] = [];
  for (const one of folders) sets.push(await readFolder(typeof one === 'string' ? { folder: one } : one));
  const names = sets.map(({ set }) => set);
  const twice = names.find((set, at) => names.indexOf(set) !== at);
  if (twice !== undefined) throw bad(`two folders are the set "${twice}": give one another name`);
  return sets;
}

async function readFolder({ folder, set = basename(resolve(folder)) }: MigrationSet): Promise<ReadSet> {
  const names = (await list(folder)).filter((name) => name.endsWith('.sql')).toSorted();
  if (names.length === 0) throw bad(`${folder}: there is no file such as 0001_name.sql in it`);
  for (const [at, name] of names.entries()) {
    if (!NAME.test(name)) throw bad(`${join(folder, name)}: name it like 0001_name.sql`);
    const before = names[at - 1];
    if (before?.slice(0, 4) === name.slice(0, 4)) throw bad(`${folder}: ${before} and ${name} have one number`);
  }
  const migrations: Migration[] = [];
  for (const name of names) migrations.push(await readMigration(set, folder, name));
  return { set, migrations };
}

async function readMigration(set: string, folder: string, name: string): Promise<Migration> {
  const path = join(folder, name);
  const text = await readFile(path, 'utf8').catch((cause: Error) => {
    throw bad(`${path}: ${cause.message}`, cause);
  });
  const sql = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n'); // a checkout may change line ends
  return { set, name, path, sql, checksum: createHash('sha256').update(sql).digest('hex') };
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    throw bad(`${folder}: ${(cause as Error).message}`, cause);
  }
}

function bad(message: string, cause?: unknown): MigrationError {
  return new MigrationError('BAD_FOLDER', message, { cause });
}
