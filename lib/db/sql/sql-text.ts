// What an SQL text says outside of its strings, quoted names and comments (PostgreSQL manual, "Lexical Structure"). Pure.

const SPECIAL = /--|\/\*|['"]|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/g;

/**
 * The text with each string as `''`, each quoted name as `""` and each comment as a blank: what is left is words that mean something.
 * Strings are read as with standard_conforming_strings. What is not ended is left out to the end of the text, which the server refuses.
 * `inside`: gets what the strings hold, as it is written there.
 */
export function outline(sql: string, inside: string[] = []): string {
  let text = '';
  let at = 0;
  while (at < sql.length) {
    SPECIAL.lastIndex = at;
    const match = SPECIAL.exec(sql);
    if (match === null) break;
    const [mark] = match;
    const start = match.index;
    const before = sql.slice(at, start);
    if (mark.startsWith('$') && /[\w$\u0080-\uffff]$/.test(before)) {
      text += `${before}$`; // within a name
      at = start + 1;
      continue;
    }
    text += before + (mark.startsWith('-') || mark.startsWith('/') ? ' ' : mark === '"' ? '""' : "''");
    at = endOf(sql, start, mark);
    if (mark === "'" || mark.startsWith('$')) inside.push(sql.slice(start + mark.length, at - mark.length));
  }
  return text + sql.slice(at);
}

/** The statements of a text, outlined and without blanks around; empty ones are left out. */
export function statements(sql: string): string[] {
  return outline(sql)
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}

/** What its strings hold: of DO the code. */
export function strings(sql: string): string[] {
  const inside: string[] = [];
  outline(sql, inside);
  return inside;
}

function endOf(sql: string, start: number, mark: string): number {
  const from = start + mark.length;
  if (mark === '--') return after(sql, '\n', from);
  if (mark === '/*') return afterComment(sql, from);
  if (mark === "'" && /(?:^|[^\w$\u0080-\uffff])e$/i.test(sql.slice(Math.max(0, start - 2), start))) {
    return afterEscapes(sql, from);
  }
  return after(sql, mark, from); // a doubled quote ends one and begins the next
}

function after(sql: string, mark: string, from: number): number {
  const end = sql.indexOf(mark, from);
  return end < 0 ? sql.length : end + mark.length;
}

/** Comments nest. */
function afterComment(sql: string, from: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let depth = 1; depth > 0;) {
    const match = marks.exec(sql);
    if (match === null) return sql.length;
    depth += match[0] === '/*' ? 1 : -1;
  }
  return marks.lastIndex;
}

/** E'...': a backslash takes the next character with it. */
function afterEscapes(sql: string, from: number): number {
  const marks = /\\[\s\S]|''|'/g;
  marks.lastIndex = from;
  for (let match = marks.exec(sql); match !== null; match = marks.exec(sql))
    if (match[0] === "'") return marks.lastIndex;
  return sql.length;
}
