// Where a module to be served is; or, where there is none, what the user may have meant.

import { existsSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { plainError } from './load-error.ts';

const ENDINGS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'] as const;

/** Its absolute path. Throws an error that says what to do where nothing is there, or a folder unless `folders` says that one may be. */
export function moduleFile(file: string, folders = false): string {
  const path = resolve(file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    const ending = ENDINGS.find((ending) => existsSync(path + ending));
    const meant = ending === undefined ? '' : `; there is ${basename(path)}${ending}`;
    throw plainError(`there is no file ${path}${meant}`);
  }
  if (found.isDirectory() && !folders) throw plainError(`${path} is a folder; name the module in it`);
  return path;
}
