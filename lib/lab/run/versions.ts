// The versions of what a run consists of.

import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { serverPath } from '../servers/index.ts';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** By name; those that cannot be told are left out. `native`: the file of pg-native. */
export async function versions(native: string | undefined): Promise<Record<string, string>> {
  const found: Record<string, string | undefined> = {
    postfork: versionOf('../../../package.json'),
    node: process.versions.node,
    pg: versionOf('pg/package.json'),
    'pg-native': native && versionOf(join(dirname(native), 'package.json')),
    lighttpd: await says('lighttpd', ['-v'], /lighttpd\/(\S+)/),
    nginx: await says('nginx', ['-v'], /nginx\/(\S+)/),
    pgbouncer: await says('pgbouncer', ['--version'], /PgBouncer (\S+)/i),
    system: `${process.platform} ${process.arch}`,
  };
  return Object.fromEntries(Object.entries(found).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

function versionOf(file: string): string {
  return (require(file) as { version: string }).version;
}

async function says(program: string, args: string[], version: RegExp): Promise<string | undefined> {
  const { stdout, stderr } = await run(program, args, { env: { PATH: serverPath() } }).catch(() => ({
    stdout: '',
    stderr: '',
  }));
  return version.exec(stdout + stderr)?.[1];
}
