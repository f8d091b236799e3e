// Temporary folders for specs: short paths (a unix socket's has at most 107 bytes), removed by themselves.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Make an empty folder that is removed with all it holds after the tests of the enclosing `describe` (or file).
 *
 *     const folder = temporaryFolder();
 *     const socketPath = folder.join('app.sock');
 */
export function temporaryFolder(): { path: string; join(...names: string[]): string } {
  const path = mkdtempSync(join(tmpdir(), 'postfork-'));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return { path, join: (...names) => join(path, ...names) };
}
