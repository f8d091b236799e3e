// What a statement leaves behind, as far as its words show: state in the session, or changes of the data. Pure.

const COMMENTS = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|\()+/;

// Statements whose effect outlives their transaction (PostgreSQL manual, "SQL Commands").
const STATE_COMMAND =
  /^(?:set(?!\s+(?:local|transaction|constraints)\b)|reset|listen|unlisten|prepare(?!\s+transaction\b)|deallocate|load|discard|create\s+(?:(?:global|local)\s+)?temp(?:orary)?|declare\b[\s\S]*\bwith\s+hold)\b/i;
const STATE_FUNCTION =
  /\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(|\bset_config\s*\([^()]*,\s*'?(?:f|false|off|0)'?\s*\)|\binto\s+temp(?:orary)?\b/i;

const READ = /^(?:select|values|table|show|with|explain)\b/i;
// In a statement that begins as a read; functions that change something are not known, but for these.
const WRITES =
  /\b(?:insert|update|delete|merge|into|analyze|nextval|setval|set_config|lo_\w+|pg_\w*advisory\w*|pg_notify|pg_terminate_backend|pg_cancel_backend)\b|\bfor\s+(?:no\s+key\s+update|key\s+share|share)\b/i;

/** The command that changes the session, in upper case; undefined where none is seen. */
export function sessionState(sql: string): string | undefined {
  const text = sql.replace(COMMENTS, '');
  if (STATE_COMMAND.test(text)) return /^\w+/.exec(text)?.[0].toUpperCase();
  return STATE_FUNCTION.exec(text)?.[0]
    .replace(/\s*\([\s\S]*/, '')
    .toUpperCase();
}

/** Whether it only reads. False where that is not sure. */
export function onlyReads(sql: string): boolean {
  const text = sql.replace(COMMENTS, '');
  return READ.test(text) && !WRITES.test(text) && !/;\s*\S/.test(text);
}
