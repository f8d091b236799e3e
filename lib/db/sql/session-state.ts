// What a statement leaves behind, as far as its words show: state in the session, or changes of the data. Pure.

import { statements } from './sql-text.ts';

const MAX_KNOWN = 500; // statements
const MAX_TEXT = 4000; // characters of one of them

// Statements whose effect outlives their transaction (PostgreSQL manual, "SQL Commands").
const COMMAND =
  /^(?:set(?!\s+(?:local|transaction|constraints)\b)|reset|listen|unlisten|prepare(?!\s+transaction\b)|deallocate|load|discard|declare\b[\s\S]*\bwith\s+hold\b)/i;
const TEMPORARY =
  /^create\s+(?:or\s+replace\s+)?(?:(?:global|local)\s+)?temp(?:orary)?\b(?![\s\S]*\bon\s+commit\s+drop\b)/i;
const TEMPORARY_NAME = /^(?:create|select|with)\b[\s\S]*\b(?:into\s+temp(?:orary)?\b|pg_temp\s*\.)/i;
const LOCK = /\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(/i;
// Its last argument says whether it is for the transaction only. Where that is not plainly `true` the session is changed.
const SET_CONFIG = /\bset_config\s*\((?![^()]*(?:\([^()]*\)[^()]*)*,\s*true\s*\))/i;

const READ = /^(?:select|values|table|show|with|explain)\b/i;
// In a statement that begins as a read; functions that change something are not known, but for these.
const WRITES =
  /\b(?:insert|update|delete|merge|into|analyze|nextval|setval|set_config|lo_\w+|pg_\w*advisory\w*|pg_notify|pg_terminate_backend|pg_cancel_backend)\b|\bfor\s+(?:no\s+key\s+update|key\s+share|share)\b/i;

/** What changes the session, in upper case, such as `SET` or `PG_ADVISORY_LOCK`; undefined where nothing is seen. */
export function sessionState(sql: string): string | undefined {
  for (const statement of statements(sql)) {
    const command = COMMAND.exec(statement) ?? TEMPORARY.exec(statement) ?? TEMPORARY_NAME.exec(statement);
    if (command !== null) return word(command[0]);
    // What DO runs is a string.
    const called = /^do\b/i.test(statement) ? sql : statement;
    const call = LOCK.exec(called) ?? SET_CONFIG.exec(called);
    if (call !== null) return word(call[0]);
  }
  return undefined;
}

/** `sessionState`, remembered: applications send the same statements again and again. */
export class SessionStates {
  readonly #known: Map<string, string | undefined> = new Map();

  of(sql: string): string | undefined {
    if (this.#known.has(sql)) return this.#known.get(sql);
    const state = sessionState(sql);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    if (sql.length <= MAX_TEXT) this.#known.set(sql, state);
    return state;
  }
}

/** Whether it only reads. False where that is not sure. */
export function onlyReads(sql: string): boolean {
  const [statement, ...more] = statements(sql);
  if (statement === undefined || more.length > 0) return false;
  const text = statement.replace(/^[\s(]+/, '');
  return READ.test(text) && !WRITES.test(text);
}

function word(command: string): string {
  return (/^\w+/.exec(command)?.[0] ?? '').toUpperCase();
}
