// sql/: what can be told of a statement by its words. Pure.

export { onlyReads, SessionStates } from './session-state.ts';
export { statements } from './sql-text.ts';
