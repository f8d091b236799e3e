// LazySession: a request's session, read from the database when it is first asked for.

import { findSession } from './session-store.ts';
import { Session } from './session.ts';

export class LazySession {
  readonly #token: string | undefined;
  readonly #maxBytes: number;
  #loading: Promise<Session> | undefined;
  #touched = false;
  #sealed = false;

  /** `token`: the cookie's, if there is one. */
  constructor(token: string | undefined, maxBytes: number) {
    this.#token = token;
    this.#maxBytes = maxBytes;
  }

  /** Whether somebody has asked for it. */
  get touched(): boolean {
    return this.#touched;
  }

  /** Whether the request has a token, of whatever worth. */
  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /**
   * One query, however often and by how many at once it is asked for; none where the request has no token. Where it fails
   * the next to ask tries again: it may have been in a transaction that is.
   */
  load(): Promise<Session> {
    this.#touched = true;
    return (this.#loading ??= this.#load().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    }));
  }

  /** What has been loaded, or is about to be; undefined where nobody has asked, or it has failed. */
  async loaded(): Promise<Session | undefined> {
    try {
      return await this.#loading;
    } catch {
      return undefined; // whoever asked has got the error
    }
  }

  /** No changes from now on, whoever has it or asks for it later. */
  seal(session: Session | undefined): void {
    this.#sealed = true;
    session?.seal();
  }

  async #load(): Promise<Session> {
    const stored = this.#token === undefined ? undefined : await findSession(this.#token);
    const session = new Session(stored, this.#maxBytes);
    if (this.#sealed) session.seal();
    return session;
  }
}
