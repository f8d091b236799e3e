// ClientResponse: what an application answered, from its head on.

import type { Readable } from 'node:stream';

import type { ResponseHead } from '../cgi/index.ts';
import type { EndRequestBody } from '../protocol/index.ts';
import type { ResponseBody } from './response-body.ts';

/** The response to one request. It exists as soon as its head has come; the body follows. */
export class ClientResponse {
  /** From Status; without one 302 where there is a Location, else 200 (RFC 3875, 6). */
  readonly status: number;
  /** The reason phrase of Status; '' where there is none. */
  readonly statusText: string;
  /** The header fields but Status, in order and as sent: latin1, one character for each byte. */
  readonly headers: [name: string, value: string][];
  /** The path and query of a local redirect, which a web server answers by itself (RFC 3875, 6.2.2). */
  readonly localRedirect: string | undefined;
  /** Resolves at END_REQUEST with its body (5.5). Rejects with the ClientError that kept it from coming. */
  readonly ended: Promise<EndRequestBody>;
  readonly #body: ResponseBody;
  readonly #stderr: () => string;

  /** `stderr`: gives what has come on STDERR so far. */
  constructor(head: ResponseHead, body: ResponseBody, ended: Promise<EndRequestBody>, stderr: () => string) {
    this.status = head.status;
    this.statusText = head.reason;
    this.headers = head.headers;
    this.localRedirect = head.localRedirect;
    this.ended = ended;
    this.#body = body;
    this.#stderr = stderr;
  }

  /** The first field of that name, in any case of letters. */
  header(name: string): string | undefined {
    const lowerCase = name.toLowerCase();
    return this.headers.find(([other]) => other.toLowerCase() === lowerCase)?.[1];
  }

  /**
   * The body as a stream of Buffers; nothing is read from the application beyond a window until it is read. It fails with
   * a ClientError, after the bytes that came; destroying it before its end aborts the request.
   */
  get body(): Readable {
    return this.#body.stream;
  }

  /**
   * The whole body, again and again the same. Rejects with a ClientError: the body's own, or `TOO_LARGE` beyond
   * `maxBodyBytes`.
   */
  bytes(): Promise<Buffer> {
    return this.#body.bytes();
  }

  /** The whole body, decoded as UTF-8. */
  async text(): Promise<string> {
    return (await this.bytes()).toString('utf8');
  }

  /** The whole body, parsed as JSON. Throws SyntaxError where it is none. */
  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  /** What the application has written to STDERR so far, decoded as UTF-8, at most `maxStderrBytes` of it. */
  get stderr(): string {
    return this.#stderr();
  }
}
