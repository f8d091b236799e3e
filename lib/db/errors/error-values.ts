// The values of parameters, taken out of what the server says: its message is the one thing of it that logs show. Pure.

const DATA = '22'; // data exceptions: whatever stands in quotes is a value
const RAISED = /^(?:P0|[5-9I-Z])/; // by functions, with words of their own: PL/pgSQL's, and classes that are nobody's
const MANY = 4; // characters from which on a value is taken out wherever it stands
const NAME = 63; // bytes that a name is cut off at, where a value is read as one
const DEEP = 8; // levels of arrays and objects

/**
 * The server's message without values. Elsewhere than in class 22 quotes hold names, and the texts of parameters are taken out, in any
 * case of letters. Short ones only where they stand in quotes, or alone in what a function says: they are parts of other words.
 */
export function withoutValues(message: string, sqlstate: string, params: readonly unknown[]): string {
  let text = sqlstate.startsWith(DATA) ? message.replace(/"[\s\S]*"/, '"..."') : message;
  const alone = RAISED.test(sqlstate) || sqlstate.startsWith(DATA);
  for (const value of values(params, text.length)) {
    if (text.toLowerCase().includes(value.toLowerCase())) text = text.replace(pattern(value, alone), '...');
  }
  return text;
}

/** The texts that may stand in a message of this length, long ones first: short ones may be parts of them. */
function values(params: readonly unknown[], length: number): Set<string> {
  const found = new Set<string>();
  const add = (value: unknown, depth: number): void => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') {
      const text = String(value);
      if (text.length > NAME) found.add(text.slice(0, NAME));
      if (text.length > 0 && text.length <= length) found.add(text);
    } else if (value instanceof Uint8Array) {
      if (value.length > 0 && value.length < length) found.add(Buffer.from(value).toString('hex'));
    } else if (typeof value === 'object' && value !== null && depth < DEEP) {
      for (const part of Object.values(value)) add(part, depth + 1);
    }
  };
  for (const param of params) add(param, 0);
  return new Set([...found].toSorted((a, b) => b.length - a.length));
}

function pattern(value: string, alone: boolean): RegExp {
  const text = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  if (value.length >= MANY) return new RegExp(text, 'gi');
  return alone ? new RegExp(`(?<!\\w)${text}(?!\\w)`, 'gi') : new RegExp(`(?<=")${text}(?=")`, 'gi');
}
