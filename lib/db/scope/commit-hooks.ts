// What was given to onCommit, when it is committed.

import type { DatabaseParts } from './database-parts.ts';
import type { CommitHook } from './executor.ts';

/** After the commit nothing can be undone: one that fails is told, and stops nobody. Never rejects. */
export async function runHooks(hooks: readonly CommitHook[], { alias, log }: DatabaseParts): Promise<void> {
  for (const hook of hooks) {
    try {
      await hook();
    } catch (error) {
      log.error({ err: error, database: alias }, 'an onCommit hook failed');
    }
  }
}
