// Why what was to be served does not load, in words for who wrote it: where it is wrong, without frames that are not theirs.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const LOADER = new URL('./load-application.', import.meta.url).href;
const CHECK_TIMEOUT = 5000; // ms

/** An error whose message says all: what was asked for cannot be done. */
export function plainError(message: string): Error {
  const error = new Error(message);
  error.stack = message;
  return error;
}

/** With the user's frames. `file`: the module that was to be loaded. */
export function loadErrorText(error: unknown, file: string): string {
  if (!(error instanceof Error)) return String(error);
  const stack = error.stack ?? error.message;
  // Node tells of an ES module's error of syntax, but not where it is, unless nobody catches it.
  if (stack.startsWith('SyntaxError')) return placeOfSyntaxError(error.message, file) ?? withoutOurs(stack);
  return withoutOurs(stack);
}

/** Without the outermost frames: who has loaded it, and Node's loader. */
function withoutOurs(stack: string): string {
  const lines = stack.split('\n');
  const ours = lines.findIndex((line) => /^ {4}at /.test(line) && line.includes(LOADER));
  if (ours > 0) lines.length = ours;
  while (lines.length > 1 && /^ {4}at .*\bnode:internal\//.test(lines.at(-1) as string)) lines.pop();
  return lines.join('\n');
}

/** Another process parses the module and what it imports, and executes nothing: undefined where that finds no such error. */
function placeOfSyntaxError(message: string, file: string): string | undefined {
  const environ = { ...process.env, FORCE_COLOR: '0', NODE_OPTIONS: '' };
  const args = ['--experimental-vm-modules', '--no-warnings', '--eval', PARSE, resolve(file), message];
  const { stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env: environ, timeout: CHECK_TIMEOUT });
  const end = stderr.indexOf(`\nSyntaxError: ${message}`);
  return end < 0 ? undefined : `${stderr.slice(0, end)}\nSyntaxError: ${message}`.trim();
}

/** What nobody catches Node shows with the line. Packages are taken to be right. */
const PARSE = `
const { readFileSync } = require('node:fs');
const { createRequire, isBuiltin } = require('node:module');
const { pathToFileURL } = require('node:url');
const { SourceTextModule } = require('node:vm');
const [file, message] = process.argv.slice(1);
const files = new Set([file]);
for (const path of files) {
  if (!/\\.m?js$/.test(path) || path.includes('/node_modules/') || files.size > 4096) continue;
  const source = readFileSync(path, 'utf8');
  let specifiers = [];
  try {
    specifiers = new SourceTextModule(source, { identifier: pathToFileURL(path).href }).dependencySpecifiers;
  } catch (error) {
    if (error.message === message) throw error;
  }
  for (const [, , specifier] of source.matchAll(/\\bimport\\(\\s*(['"])(.+?)\\1/g)) specifiers = [...specifiers, specifier];
  for (const specifier of specifiers.filter((name) => !isBuiltin(name))) {
    try {
      files.add(createRequire(path).resolve(specifier));
    } catch {} // it is not there
  }
}`;
