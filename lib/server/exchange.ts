// What a handler is given: one FastCGI request and the response to it.

import type { MetaVariables } from '../cgi/index.ts';

/** The bytes of STDIN (or DATA), piece by piece. Nothing is read from the web server beyond a window until they are taken. */
export interface InputStream extends AsyncIterable<Buffer> {
  /**
   * The next piece, or undefined at the end. Rejects with RequestError `BODY_TRUNCATED` where the stream ended short of
   * its announced length (specification 6.2), `ABORTED` where the request was aborted, `BODY_TIMEOUT` where nothing came,
   * `TIMEOUT` where the request was not answered in time.
   */
  read(): Promise<Buffer | undefined>;
  /** All of it, at most `maxBytes`: beyond that it rejects with RequestError `BODY_TOO_LARGE`. */
  bytes(maxBytes: number): Promise<Buffer>;
}

/** One request as the web server began it (specification 5 and 6). */
export interface Request {
  /** Request id, 1 to 65,535: unique on its connection while the request is active. */
  readonly id: number;
  /** RESPONDER, AUTHORIZER or FILTER. */
  readonly role: number;
  /** The PARAMS stream: CGI meta-variables. */
  readonly params: MetaVariables;
  /** CONTENT_LENGTH in bytes; undefined where the web server does not know it. */
  readonly contentLength: number | undefined;
  /** The STDIN stream. An Authorizer's is empty. */
  readonly stdin: InputStream;
  /** The DATA stream of a Filter; empty in other roles. */
  readonly data: InputStream;
  /** Whether the web server has aborted the request or gone away, or the server has ended it: TIMEOUT, STOPPING. */
  readonly aborted: boolean;
  /** Aborts with a RequestError when `aborted` becomes true. Made when first asked for. */
  readonly signal: AbortSignal;
  /** Call it when `aborted` becomes true, or now if it is: for who cannot afford a signal for each request. */
  onAbort(listener: (reason: Error) => void): void;
}

/** The response to one request. Once the request is aborted everything written is dropped without an error. */
export interface Response {
  /** Whether anything of it has been handed to the connection. */
  readonly started: boolean;
  /** Whether it is over: ended, cut or aborted. */
  readonly over: boolean;
  /** A whole answer in one write. `head`: latin1 with its empty line. `body`: bytes, or latin1 text. `appStatus`: see `end`. */
  send(head: string, body: string | Uint8Array, appStatus?: number): void;
  /** The beginning of an answer that follows in pieces. */
  start(head: string): void;
  /** The next piece. False: wait for `drained()` before the next one. An empty piece sends nothing. */
  write(piece: string | Uint8Array): boolean;
  /** Resolves when there is room for more, or when the response is over. */
  drained(): Promise<void>;
  /** The answer is complete. `appStatus`: as of a CGI program's exit, 0 by default (specification 5.5). */
  end(appStatus?: number): void;
  /** A message for the web server's error log (specification 6.1, STDERR), before `end`. It becomes one line of at most 8 KiB. */
  stderr(message: string): void;
  /** The answer breaks off: nothing is completed, so that the web server does not take what it has for the whole. */
  cut(): void;
}

/** Answers one request: by `send` or `end`, before its promise resolves or later. */
export type Handler = (request: Request, response: Response) => void | PromiseLike<void>;
