// Runs a published test file of node:test in a process of its own, over FastCGI, and says what became of its tests.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SpecProcess } from '../../support/process.ts';

const OVER_FASTCGI = join(__dirname, 'programs', 'over-fastcgi.mjs');
const NOT_LONGER = 60_000; // ms

export interface Outcome {
  /** Names of tests, `suite > test`; a second one of a name has ` (2)` behind it. Suites themselves are none. */
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Requests that came by FastCGI. */
  readonly served: number;
  /** What the process has said. */
  readonly output: string;
}

/** `servedFile`: where the process may write. */
export async function runPublished(file: string, servedFile: string): Promise<Outcome> {
  const args = ['--import', OVER_FASTCGI, '--test-force-exit', '--test-reporter=tap', file];
  const environ = { SERVED_FILE: servedFile };
  const run = new SpecProcess(process.execPath, args, { cwd: dirname(dirname(file)), environ });
  const deadline = setTimeout(() => void run.stop('SIGKILL'), NOT_LONGER);
  await run.finished;
  clearTimeout(deadline);
  const served = existsSync(servedFile) ? Number(readFileSync(servedFile, 'utf8')) : 0;
  return { ...readTap(run.stdout), served, output: run.stdout + run.stderr };
}

/** TAP 13, with subtests indented by four spaces and announced by a comment, as node:test writes it. */
export function readTap(text: string): { passed: string[]; failed: string[] } {
  const path: string[] = []; // of the names that were announced last
  const results = new Map<string, boolean>();
  const suites = new Set<string>();
  for (const line of text.split('\n')) {
    const [, indent = '', announced] = /^((?: {4})*)# Subtest: (.*)$/.exec(line) ?? [];
    if (announced !== undefined) path.splice(indent.length / 4, Infinity, announced);
    const [, depth = '', not, name] = /^((?: {4})*)(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (name === undefined || / # (?:SKIP|TODO)\b/.test(name)) continue;
    const above = path.slice(0, depth.length / 4);
    const full = [...above, name].join(' > ');
    if (above.length > 0) suites.add(above.join(' > '));
    let unique = full;
    for (let count = 2; results.has(unique); count += 1) unique = `${full} (${count})`;
    results.set(unique, not === undefined);
  }
  const tests = [...results].filter(([name]) => !suites.has(name));
  const named = (wanted: boolean): string[] => tests.filter(([, passed]) => passed === wanted).map(([name]) => name);
  return { passed: named(true), failed: named(false) };
}
