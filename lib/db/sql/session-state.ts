// What a statement leaves behind, as far as its words show: state in the session, or changes of the data. Pure.

import { outline, statements, strings } from './sql-text.ts';

const MAX_KNOWN = 500; // statements
const MAX_TEXT = 4000; // characters of one of them

// Statements whose effect outlives their transaction (PostgreSQL manual, "SQL Commands").
const COMMAND =
  /^(?:set(?!\s+(?:local|transaction|transaction_(?:isolation|read_only|deferrable)|constraints)\b)|reset|listen|unlisten|prepare(?!\s+transaction\b)|deallocate|load|discard|declare\b[\s\S]*\bwith\s+hold\b)\b/i;
const TEMPORARY =
  /^create\s+(?:or\s+replace\s+)?(?:(?:global\s+|local\s+)?temp(?:orary)?\b|(?:(?!on\b|as\b)[a-z]+\s+){1,6}pg_temp\s*\.)(?![\s\S]*\bon\s+commit\s+drop\b)/i;
// SELECT ... INTO. A table may be called `temp`.
const INTO_TEMPORARY =
  /^[\s(]*(?:select|with)\b[\s\S]*\binto\b(?<!\b(?:insert|merge)\s+into)\s+(?:pg_temp\s*\.|(?:global\s+|local\s+)?temp(?:orary)?\s+(?!(?:from|where|group|having|window|union|except|intersect|order|limit|offset|fetch|for)\b)["\w])/i;
const CALL =
  /\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(|\bupdate\s+(?:only\s+)?(?:pg_catalog\s*\.\s*)?pg_settings\b/i;
const SET_CONFIG = /\bset_config\s*\(/gi;
// What they name is not called.
const DEFINITION =
  /^(?:alter|comment|drop|grant|revoke|create\s+(?:or\s+replace\s+)?(?:aggregate|function|procedure|rule|trigger|view))\b/i;
const EXPLAINED = /^explain\s+(?:\([^()]*\banalyze\b[^()]*\)|analyze(?:\s+verbose)?\b)\s*/i; // these are run
const STEP = /;|\b(?:begin|else|loop|then)\b/i; // where one begins in PL/pgSQL

const READ = /^(?:select|values|table|show|with|explain)\b/i;
// In a statement that begins as a read; functions that change something are not known, but for these.
const WRITES =
  /\b(?:insert|update|delete|merge|into|analyze|nextval|setval|set_config|lo_\w+|pg_\w*advisory\w*|pg_notify|pg_terminate_backend|pg_cancel_backend)\b|\bfor\s+(?:no\s+key\s+update|key\s+share|share)\b/i;

/** What changes the session, in upper case, such as `SET` or `PG_ADVISORY_LOCK`; undefined where nothing is seen. */
export function sessionState(sql: string): string | undefined {
  const found = statements(sql);
  const code = found.some((statement) => /^do\b/i.test(statement)) ? strings(sql) : [];
  for (const step of [...found, ...code.flatMap((text) => outline(text).split(STEP))]) {
    const state = stateOf(step.trim().replace(EXPLAINED, ''));
    if (state !== undefined) return state;
  }
  return undefined;
}

function stateOf(statement: string): string | undefined {
  const command = COMMAND.exec(statement) ?? TEMPORARY.exec(statement) ?? INTO_TEMPORARY.exec(statement);
  if (command !== null) return word(command[0]);
  if (DEFINITION.test(statement)) return undefined;
  const call = CALL.exec(statement);
  if (call !== null) return word(call[0]);
  for (const { index, 0: name } of statement.matchAll(SET_CONFIG)) {
    if (!endsByTrue(statement, index + name.length)) return word(name);
  }
  return undefined;
}

/** Whether the last of the arguments from there on, is_local, is plainly `true`. */
function endsByTrue(statement: string, from: number): boolean {
  const marks = /[(),]/g;
  marks.lastIndex = from;
  let last = from;
  let depth = 1;
  for (let mark = marks.exec(statement); mark !== null; mark = marks.exec(statement)) {
    if (mark[0] === ',' && depth === 1) last = mark.index + 1;
    if (mark[0] === '(') depth++;
    if (mark[0] === ')' && --depth === 0) {
      return /^\s*true\s*(?:::\s*bool(?:ean)?\s*)?$/i.test(statement.slice(last, mark.index));
    }
  }
  return false;
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
  return (/\w+/.exec(command)?.[0] ?? '').toUpperCase();
}
