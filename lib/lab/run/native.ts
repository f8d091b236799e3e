// Where pg-native is installed.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// scripts/setup --lab puts it there: it is built with libpq's headers, which few machines have.
const BUILT = fileURLToPath(new URL('../../../build/pg-native/package.json', import.meta.url));

/** Its file: of the folder's own packages, or of ours. Undefined where there is none that can be loaded. */
export function findNative(folder: string): string | undefined {
  for (const from of [join(folder, 'package.json'), import.meta.url, BUILT]) {
    try {
      const require = createRequire(from);
      const file = require.resolve('pg-native');
      require(file); // its addon may be of another version of Node
      return file;
    } catch {
      continue;
    }
  }
  return undefined;
}
