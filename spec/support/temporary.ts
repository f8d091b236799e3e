// Temporary folders for specs: short paths (a unix socket's has at most 107 bytes), removed by themselves.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of one `describe` or spec file. */
export interface TemporaryFolder {
  /** Its absolute path. */
  readonly path: string;
  /** The absolute path of something in it. */
  join(...names: string[]): string;
}

/**
 * An empty folder, made when it is first used and removed with all it holds after the tests of the enclosing `describe`
 * (or file). Call it where hooks may be registered, not inside a test:
 *
 *     const folder = temporaryFolder();
 *     test('...', () => listen(folder.join('app.sock')));
 */
export function temporaryFolder(): TemporaryFolder {
  let made: string | undefined;
  const path = (): string => (made ??= mkdtempSync(join(tmpdir(), 'postfork-')));
  afterAll(() => {
    if (made !== undefined) rmSync(made, { recursive: true, force: true });
  });
  return {
    get path() {
      return path();
    },
    join: (...names) => join(path(), ...names),
  };
}
