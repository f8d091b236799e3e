// scripts/setup: what it says of itself. What it does, all that run the tests have seen.

import { fileURLToPath } from 'node:url';
import { SpecProcess } from '../support/process.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/setup', import.meta.url));

test('--help names what --lab and --tests add', async () => {
  const run = new SpecProcess(SCRIPT, ['--help']);
  expect(await run.finished).toEqual({ code: 0, signal: null });
  expect(run.stdout).toContain('With --lab also pgbouncer and, in build/, pg-native');
  expect(run.stdout).toContain('With --tests that, and chromium');
});

test('what is no option is refused before anything is done', async () => {
  const run = new SpecProcess(SCRIPT, ['--test']);
  expect(await run.finished).toEqual({ code: 1, signal: null });
  expect(run.stderr).toBe('setup: --test is not an option; see scripts/setup --help\n');
});
