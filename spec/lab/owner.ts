// A process that owns servers, for specs that end it, and what they are asked.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { SpecProcess } from '../support/process.ts';
import { temporaryFolder, type TemporaryFolder } from '../support/temporary.ts';

/** What programs/owner.mjs says of its servers. */
export interface Owned {
  pids: number[];
  data: string;
  socketFolder: string;
  urls: string[];
}

export const LAB: string = join(__dirname, '../../dist/lab/index.js');

/** What programs/web-owner.mjs says of its servers. */
export type OwnedWebServers = { pid: number; port: number }[];

const PROGRAMS = join(__dirname, 'programs');

export const ROOT: boolean = process.getuid?.() === 0;

/** A folder that servers of root's, who run as nobody, can enter. */
export function openFolder(): TemporaryFolder {
  const folder = temporaryFolder();
  beforeAll(() => chmodSync(folder.path, 0o755));
  return folder;
}

/**
 * How to start owners, which end with the test; `words`: what the program takes. Call it where hooks may be registered.
 */
export function owners(
  program = 'owner.mjs',
): (words: readonly string[], where?: { cwd?: string; tmpdir?: string }) => SpecProcess {
  const started: SpecProcess[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((owner) => owner.stop('SIGKILL')));
  });
  return (words, { cwd, tmpdir } = {}) => {
    const owner = new SpecProcess(process.execPath, [join(PROGRAMS, program), ...words], {
      ...(cwd !== undefined && { cwd }),
      ...(tmpdir !== undefined && { environ: { TMPDIR: tmpdir } }),
    });
    started.push(owner);
    return owner;
  };
}

/** What it owns, when its servers run. */
export async function ownedBy<T = Owned>(owner: SpecProcess): Promise<T> {
  const [line] = await owner.says(/^[[{].*[\]}]$/m, 'stdout');
  return JSON.parse(line) as T;
}

/** The first column of the first row, on a connection of its own. */
export async function ask(url: string, sql = 'SELECT 1'): Promise<unknown> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {}); // the server may end first
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql);
    return Object.values(rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}
