// What the records of one response amount to: a head, a body, messages on STDERR, and what is wrong with them.

import { MalformedHeadError, ResponseHeadParser, type ResponseHead } from '../cgi/index.ts';
import { CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE, type EndRequestBody } from '../protocol/index.ts';
import { ClientError, type ClientErrorCode } from './client-error.ts';
import type { Settings } from './options.ts';
import { ResponseBody, type BodySource } from './response-body.ts';

const REFUSALS: Readonly<Record<number, ClientErrorCode>> = {
  [CANT_MPX_CONN]: 'CANT_MPX_CONN',
  [OVERLOADED]: 'OVERLOADED',
  [UNKNOWN_ROLE]: 'UNKNOWN_ROLE',
};

export class ResponseReader {
  readonly #settings: Settings;
  readonly #isHead: boolean;
  readonly #parser: ResponseHeadParser;
  readonly #stderr: Buffer[] = [];
  #stderrLength = 0;
  #head: ResponseHead | undefined;
  #left: number | undefined; // bytes of the body to come, where Content-Length tells
  /** What has come of the body. */
  readonly body: ResponseBody;

  /** `isHead`: the response to HEAD has no body, whatever its Content-Length. `source`: told of the body's reader. */
  constructor(settings: Settings, isHead: boolean, source: BodySource) {
    this.#settings = settings;
    this.#isHead = isHead;
    this.#parser = new ResponseHeadParser(settings.maxHeadBytes);
    this.body = new ResponseBody(source, settings.maxBodyBytes);
  }

  /** The head, once it is complete. */
  get head(): ResponseHead | undefined {
    return this.#head;
  }

  /** STDERR so far. */
  get stderrText(): string {
    return this.#stderrLength === 0 ? '' : Buffer.concat(this.#stderr).toString('utf8');
  }

  /** A piece of STDOUT, `chunk[start, end)`. Returns what is wrong with it. */
  stdout(chunk: Buffer, start: number, end: number): ClientError | undefined {
    if (this.#head !== undefined) return this.#readBody(chunk.subarray(start, end));
    try {
      const bodyAt = this.#parser.push(chunk, start, end);
      if (bodyAt < 0) return undefined;
      this.#head = this.#parser.head();
      const bodyless = this.#isHead || this.#head.status === 204 || this.#head.status === 304;
      if (!bodyless) this.#left = this.#head.contentLength;
      return bodyAt < end ? this.#readBody(chunk.subarray(bodyAt, end)) : undefined;
    } catch (cause) {
      if (!(cause instanceof MalformedHeadError)) throw cause;
      return this.error('BAD_RESPONSE', cause.message, { cause });
    }
  }

  /** A piece of STDERR; what is over `maxStderrBytes` is dropped. */
  stderr(chunk: Buffer, start: number, end: number): void {
    const taken = Math.min(end - start, this.#settings.maxStderrBytes - this.#stderrLength);
    if (taken <= 0) return;
    this.#stderr.push(chunk.subarray(start, start + taken));
    this.#stderrLength += taken;
  }

  /** END_REQUEST has come. Returns what is missing before it. */
  ended({ protocolStatus, appStatus }: EndRequestBody): ClientError | undefined {
    if (this.#head !== undefined) {
      if (!this.#left) return undefined;
      return this.error('TRUNCATED', `the body is ${this.#left} bytes shorter than its Content-Length`);
    }
    const code = REFUSALS[protocolStatus];
    if (code) return this.error(code, `the application refused the request: ${code}`);
    const what = this.#parser.empty ? 'without any output' : 'within its head';
    return this.error('BAD_RESPONSE', `the response ended ${what} (appStatus ${appStatus})`);
  }

  /** A ClientError with STDERR so far. */
  error(code: ClientErrorCode, message: string, options: { cause?: unknown } = {}): ClientError {
    const stderr = this.stderrText;
    return new ClientError(code, message, 'cause' in options ? { cause: options.cause, stderr } : { stderr });
  }

  #readBody(piece: Buffer): ClientError | undefined {
    if (this.#left === undefined) {
      this.body.push(piece);
      return undefined;
    }
    const surplus = piece.length - this.#left;
    if (surplus > 0) {
      if (this.#left > 0) this.body.push(piece.subarray(0, this.#left));
      this.#left = 0;
      return this.error('BAD_RESPONSE', 'the body is longer than its Content-Length');
    }
    this.#left -= piece.length;
    this.body.push(piece);
    return undefined;
  }
}
