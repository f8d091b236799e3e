// Session: what the server keeps for a client between requests, as one request sees and changes it.

import { HttpError } from '../app/index.ts';
import { deleteSession, insertSession, newToken, updateSession, type StoredSession } from './session-store.ts';
import { entryBytes, freeze, sessionValue } from './session-value.ts';
import type { User } from './user.ts';

/**
 * Given by `await request.session`. Changes are saved behind the handler, those of the names that were changed and no others:
 * requests of one session that run at once lose nothing of each other's; of two that set one name, the later one's stays.
 * All that changes it throws once the answer's head is on its way: in a streamed body, in `waitUntil` work.
 */
export class Session {
  readonly #maxBytes: number;
  readonly #values: Map<string, unknown>;
  readonly #changed: Set<string> = new Set();
  #token: string | undefined; // where it is stored
  #bytes: number | undefined; // of the values as JSON; counted when one is set
  #user: User | undefined;
  #cleared = false;
  #rotated = false;
  #signedIn = false;
  #destroyed = false;
  #sealed = false;

  /** `maxBytes`: of the data as JSON. For the middleware. */
  constructor(stored: StoredSession | undefined, maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#token = stored?.token;
    this.#user = stored?.user;
    this.#values = new Map(Object.entries(stored?.data ?? {}));
    for (const value of this.#values.values()) freeze(value);
  }

  /** Whether nothing of it is stored yet. */
  get isNew(): boolean {
    return this.#token === undefined;
  }

  /** Whether `destroy` was called. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Who has logged in with it, if somebody has; `request.user` is this or the anonymous one. */
  get user(): User | undefined {
    return this.#user;
  }

  /** A value, frozen: to change it, `set` another one. What JSON makes of it: a Date is text. */
  get<T = unknown>(name: string): T | undefined {
    return this.#values.get(name) as T | undefined;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  keys(): string[] {
    return [...this.#values.keys()];
  }

  /**
   * Set a value: anything that has a JSON form; a copy of it is kept. Throws TypeError for what has none, RangeError where
   * the session would have more than its bytes (default 64 KiB as JSON).
   */
  set(name: string, value: unknown): this {
    this.#change();
    const copy = sessionValue(name, value);
    const before = this.#values.has(name) ? entryBytes(name, this.#values.get(name)) : 0;
    const bytes = this.#countBytes() + entryBytes(name, copy) - before;
    if (bytes > this.#maxBytes) {
      throw new RangeError(`session: ${bytes} bytes with ${name} are more than the ${this.#maxBytes} it may have`);
    }
    this.#bytes = bytes;
    this.#values.set(name, copy);
    this.#changed.add(name);
    return this;
  }

  /** Whether it was there. */
  delete(name: string): boolean {
    this.#change();
    if (!this.#values.delete(name)) return false;
    this.#bytes = undefined;
    this.#changed.add(name);
    return true;
  }

  /** Delete all values. Who has logged in stays so: see `destroy`. */
  clear(): void {
    this.#change();
    this.#values.clear();
    this.#changed.clear();
    this.#bytes = undefined;
    this.#cleared = true;
  }

  /** Give it a new token, against session fixation: the old one opens nothing any more. `login` does so. Django's cycle_key. */
  rotate(): void {
    this.#change();
    this.#rotated = true;
  }

  /** For `login`: from now on it is this user's, under a new token, with nothing of another user's. */
  signIn(user: User): void {
    if (this.#user !== undefined && this.#user.id !== user.id) this.clear();
    this.rotate();
    this.#signedIn = true;
    this.#user = user;
  }

  /**
   * End it: deleted at once, whatever the handler answers, and its cookie expired. What is set afterwards begins another
   * session. Django's flush. Rejects with OperationalError where the database is not there.
   */
  async destroy(): Promise<void> {
    this.clear();
    const token = this.#token;
    if (token !== undefined) await deleteSession(token);
    this.#token = undefined;
    this.#user = undefined;
    this.#cleared = false;
    this.#rotated = false;
    this.#destroyed = true;
  }

  /** No changes from now on. For the middleware. */
  seal(): void {
    this.#sealed = true;
  }

  /**
   * Save what was changed; with `always` also where nothing was, to put off its end. Resolves to the cookie's token where
   * something was saved. `maxAge`: seconds. Where another request has ended the session, or given it a new token, it rejects with
   * HttpError 400 (Django's SessionInterrupted), unless nothing was changed; a login begins another session. For the middleware.
   */
  async save(maxAge: number, always: boolean): Promise<string | undefined> {
    const set = Object.fromEntries([...this.#values].filter(([name]) => this.#changed.has(name)));
    const deleted = [...this.#changed].filter((name) => !this.#values.has(name));
    const changes = { cleared: this.#cleared, set, deleted, user: this.#user, signedIn: this.#signedIn, maxAge };
    if (this.#token === undefined) {
      if (this.#values.size === 0 && this.#user === undefined) return undefined;
      const token = newToken(); // never one that the client has thought of
      await insertSession(token, changes);
      return token;
    }
    const unchanged = this.#changed.size === 0 && !this.#cleared && !this.#rotated;
    if (unchanged && !always) return undefined;
    const token = this.#rotated ? newToken() : this.#token;
    if (await updateSession(this.#token, token, changes)) return token;
    if (unchanged) return undefined;
    if (!this.#signedIn) throw new HttpError(400, 'the session was ended or renewed by another request');
    // The password was right: the second click on a login button must not be an error.
    await insertSession(token, { ...changes, set: Object.fromEntries(this.#values) });
    return token;
  }

  #countBytes(): number {
    if (this.#bytes !== undefined) return this.#bytes;
    let bytes = 1; // of both braces, without a last comma
    for (const [name, value] of this.#values) bytes += entryBytes(name, value);
    return bytes;
  }

  #change(): void {
    if (!this.#sealed) return;
    throw new Error(
      'the session cannot be changed any more: the head of the answer, and the cookie in it, is on its way ' +
        '(change it before the handler returns, not in a streamed body or in waitUntil)',
    );
  }
}
