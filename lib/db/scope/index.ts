// scope/: whose connection it is, for how long, and in which transaction.

export {
  type Context,
  currentContext,
  endScopeOfRequest,
  existingScope,
  runInScope,
  runInTransaction,
} from './context.ts';
export type { DatabaseLog, DatabaseParts } from './database-parts.ts';
export type { CommitHook, Executor, TransactionOptions } from './executor.ts';
export { Lane } from './lane.ts';
export { Sandbox } from './sandbox.ts';
export { type Abortable, Scope } from './scope.ts';
