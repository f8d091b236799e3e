// What a session may hold: JSON that PostgreSQL's jsonb takes, frozen.

/** A frozen copy of a value, as it will be read. Throws TypeError for what JSON, or jsonb, cannot hold. */
export function sessionValue(name: string, value: unknown): unknown {
  if (typeof name !== 'string') throw new TypeError(`session: the name of a value is text, not ${typeof name}`);
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`session: ${name} has no JSON form`);
  checkText(name, name);
  return freeze(JSON.parse(text), (inner) => checkText(inner, name));
}

/** The same object, frozen with all it holds: changing it would change nothing that is saved. */
export function freeze(value: unknown, onText?: (text: string) => void): unknown {
  if (typeof value === 'string') onText?.(value);
  if (typeof value !== 'object' || value === null) return value;
  for (const [key, inner] of Object.entries(value)) {
    onText?.(key);
    freeze(inner, onText);
  }
  return Object.freeze(value);
}

/** Bytes of a name and its value as JSON, with a comma. */
export function entryBytes(name: string, value: unknown): number {
  return Buffer.byteLength(JSON.stringify(name)) + Buffer.byteLength(JSON.stringify(value)) + 2;
}

/** Text that jsonb refuses (PostgreSQL manual, 8.14): U+0000, half a surrogate pair. */
function checkText(text: string, name: string): void {
  if (/[\0\p{Surrogate}]/u.test(text)) throw new TypeError(`session: ${name} holds U+0000 or half a surrogate pair`);
}
