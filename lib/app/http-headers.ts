// HttpHeaders: the header fields of a response, in order, with names in any case.

import { checkHeader, isHopByHop } from '../cgi/index.ts';

/** What can be made header fields: an object, a list of pairs, or the platform's Headers. */
export type HeadersInit =
  Readonly<Record<string, string | number | readonly string[]>> | Iterable<readonly [name: string, value: string]>;

/**
 * Fields that are the web server's own business (Connection, Transfer-Encoding, ...) are left out without a word.
 * `set` and `append` throw ResponseHeadError for a name or value that would break the head.
 */
export class HttpHeaders implements Iterable<[name: string, value: string]> {
  /** Names and values in turn, as the head is made of them. Every one has been checked. */
  readonly fields: string[] = [];

  constructor(init?: HeadersInit) {
    if (init === undefined) return;
    const pairs = Symbol.iterator in init ? init : Object.entries(init);
    for (const [name, value] of pairs as Iterable<readonly [string, string | number | readonly string[]]>) {
      if (typeof value === 'object') for (const one of value) this.append(name, one);
      else this.append(name, String(value));
    }
  }

  /** The value of a field; of one that was appended several times, the first. */
  get(name: string): string | undefined {
    const at = this.#find(name, 0);
    return at < 0 ? undefined : this.fields[at + 1];
  }

  /** All values of a field: Set-Cookie may stand several times. */
  getAll(name: string): string[] {
    const values: string[] = [];
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at + 2))
      values.push(this.fields[at + 1] as string);
    return values;
  }

  has(name: string): boolean {
    return this.#find(name, 0) >= 0;
  }

  /** Replace a field, or add it. */
  set(name: string, value: string): void {
    const at = this.#find(name, 0);
    if (at < 0) return this.append(name, value);
    checkHeader(name, value);
    this.fields[at + 1] = value;
    for (let more = this.#find(name, at + 2); more >= 0; more = this.#find(name, more)) this.fields.splice(more, 2);
  }

  /** Add a field beside those of its name. */
  append(name: string, value: string): void {
    checkHeader(name, value);
    if (!isHopByHop(name)) this.fields.push(name, value);
  }

  delete(name: string): void {
    for (let at = this.#find(name, 0); at >= 0; at = this.#find(name, at)) this.fields.splice(at, 2);
  }

  /** Add a name to Vary, unless it is there. */
  vary(name: string): void {
    const names = this.getAll('Vary').join(', ');
    if (names.toLowerCase().split(/\s*,\s*/).includes(name.toLowerCase())) return; // prettier-ignore
    this.set('Vary', names === '' ? name : `${names}, ${name}`);
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (let i = 0; i < this.fields.length; i += 2) yield [this.fields[i] as string, this.fields[i + 1] as string];
  }

  #find(name: string, from: number): number {
    const fields = this.fields;
    let lower: string | undefined;
    for (let i = from; i < fields.length; i += 2) {
      const field = fields[i] as string;
      if (field === name) return i;
      if (field.length === name.length && field.toLowerCase() === (lower ??= name.toLowerCase())) return i;
    }
    return -1;
  }
}
