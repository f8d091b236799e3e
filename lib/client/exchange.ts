// One request and its response: from waiting for a connection to END_REQUEST, whatever happens in between.

import { MalformedHeadError, ResponseHeadParser, type ResponseHead } from '../cgi/index.ts';
import {
  CANT_MPX_CONN,
  OVERLOADED,
  UNKNOWN_ROLE,
  encodeStreamEnd,
  streamBuffers,
  type EndRequestBody,
} from '../protocol/index.ts';
import { ClientError, type ClientErrorCode } from './client-error.ts';
import type { Connection, Receiver } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { Settings } from './options.ts';
import type { Job, Pool } from './pool.ts';
import { openingOf, piecesOf, type Message, type Upload } from './request.ts';
import { ResponseBody } from './response-body.ts';
import { ClientResponse } from './response.ts';

const REFUSALS: Readonly<Record<number, ClientErrorCode>> = {
  [CANT_MPX_CONN]: 'CANT_MPX_CONN',
  [OVERLOADED]: 'OVERLOADED',
  [UNKNOWN_ROLE]: 'UNKNOWN_ROLE',
};

const ignore = (): void => {};

export class Exchange implements Job, Receiver {
  /** Settles once: with the response as soon as its head has come, or with a ClientError. */
  readonly response: Promise<ClientResponse>;
  readonly #settings: Settings;
  readonly #pool: Pool;
  readonly #message: Message;
  readonly #signal: AbortSignal | undefined;
  readonly #deadline: Deadline = new Deadline();
  readonly #headParser: ResponseHeadParser;
  readonly #stderr: Buffer[] = [];
  #stderrLength = 0;
  #connection: Connection | undefined;
  #id = 0;
  #fresh = false;
  #reused = false; // the connection had served before
  #delivered = false; // all that leaves at first has reached the system
  #answered = false; // a record came for it
  #uploading: AsyncGenerator<Buffer, void, void> | undefined;
  #uploaded = false;
  #body: ResponseBody | undefined;
  #bodyLeft: number | undefined; // bytes of it to come, where Content-Length tells
  #paused = false;
  #over = false;
  #resolve: (response: ClientResponse) => void = ignore;
  #reject: (error: ClientError) => void = ignore;
  #resolveEnded: (body: EndRequestBody) => void = ignore;
  #rejectEnded: (error: ClientError) => void = ignore;

  /** Takes its place in the pool's queue at once. */
  constructor(message: Message, settings: Settings, pool: Pool, signal: AbortSignal | undefined) {
    this.#message = message;
    this.#settings = settings;
    this.#pool = pool;
    this.#signal = signal;
    this.#headParser = new ResponseHeadParser(settings.maxHeadBytes);
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (signal?.aborted) this.#onAbort();
    else this.#enqueue();
  }

  /** See Job: the second try of a request goes out on a fresh connection. */
  get fresh(): boolean {
    return this.#fresh;
  }

  start(connection: Connection): void {
    const { keepConn, headTimeout, maxRequestsPerConnection } = this.#settings;
    this.#connection = connection;
    this.#reused = connection.served > 0;
    this.#id = connection.add(this);
    // Several requests on a connection: it must outlive the first of them, so it is this client that closes it.
    const { buffers, rest } = openingOf(this.#message, this.#id, keepConn || maxRequestsPerConnection > 1);
    this.#deadline.set(headTimeout, () => this.#onHeadTimeout());
    connection.write(buffers, this.#reused ? () => (this.#delivered = true) : undefined);
    if (rest.length === 0) this.#uploaded = true;
    else void this.#upload(connection, rest);
  }

  fail(error: ClientError): void {
    if (this.#over) return;
    const connection = this.#connection;
    this.#finish();
    if (this.#body) this.#body.end(error);
    else this.#reject(error);
    this.#rejectEnded(error);
    if (connection) this.#leave(connection, error.code === 'ABORTED');
    else this.#pool.cancel(this);
  }

  stdout(chunk: Buffer, start: number, end: number): void {
    this.#answered = true;
    if (start === end || this.#over) return;
    let at = start;
    if (this.#body === undefined) {
      at = this.#readHead(chunk, start, end);
      if (at < 0 || at === end) return;
    } else this.#deadline.refresh();
    this.#readBody(chunk.subarray(at, end));
  }

  stderr(chunk: Buffer, start: number, end: number): void {
    this.#answered = true;
    const taken = Math.min(end - start, this.#settings.maxStderrBytes - this.#stderrLength);
    if (taken <= 0) return;
    this.#stderr.push(chunk.subarray(start, start + taken));
    this.#stderrLength += taken;
  }

  ended(body: EndRequestBody): void {
    if (this.#over) return;
    const connection = this.#connection;
    // Records of a request that has ended are to be ignored (3.3), but an application that takes one request at a time may
    // be waiting for the rest of STDIN.
    if (!this.#uploaded && this.#settings.maxRequestsPerConnection === 1) connection?.retire();
    this.#finish();
    if (this.#body === undefined) this.#reject(this.#refusal(body));
    else this.#body.end(this.#bodyLeft ? this.#tooShort(this.#bodyLeft) : undefined);
    this.#resolveEnded(body);
    connection?.resume(this);
  }

  lost(error: ClientError): void {
    if (this.#over) return;
    this.#connection = undefined;
    if (error.code === 'CLOSED' && this.#canRetry()) {
      this.#fresh = true;
      this.#enqueue();
      return;
    }
    const truncated = error.code === 'CLOSED' && this.#body !== undefined;
    this.fail(this.#error(truncated ? 'TRUNCATED' : error.code, error.message, error));
  }

  get #held(): number {
    return this.#body?.held ?? 0;
  }

  get #window(): number {
    const { window, multiplexWindow, maxRequestsPerConnection } = this.#settings;
    return maxRequestsPerConnection > 1 ? multiplexWindow : window;
  }

  readonly #onAbort = (): void => {
    this.fail(this.#error('ABORTED', 'the request was aborted', { cause: this.#signal?.reason }));
  };

  #enqueue(): void {
    const { queueTimeout } = this.#settings;
    this.#deadline.set(queueTimeout, () =>
      this.fail(new ClientError('QUEUE_TIMEOUT', `no connection became free in ${queueTimeout} ms`)),
    );
    this.#pool.submit(this);
  }

  /** Once; and not where it may have been carried out, if that would matter. */
  #canRetry(): boolean {
    if (!this.#reused || this.#fresh || this.#answered) return false;
    return this.#message.retry === 'always' || (this.#message.retry === 'unsent' && !this.#delivered);
  }

  async #upload(connection: Connection, uploads: readonly Upload[]): Promise<void> {
    const goesOn = (): boolean => !this.#over && this.#connection === connection && connection.writable;
    try {
      for (const { type, body } of uploads) {
        this.#uploading = piecesOf(body);
        for await (const piece of this.#uploading) {
          if (!goesOn()) return;
          if (piece.length > 0 && !connection.write(streamBuffers(type, this.#id, piece))) await connection.drained();
          if (!goesOn()) return;
          if (this.#body === undefined) this.#deadline.refresh();
        }
        if (!goesOn()) return;
        connection.write([encodeStreamEnd(type, this.#id)]);
      }
      this.#uploaded = true;
    } catch (cause) {
      this.fail(this.#error('SOURCE_FAILED', 'the body to be sent failed', { cause }));
    }
  }

  /** Returns where the body begins, or -1 where the head goes on or was no head. */
  #readHead(chunk: Buffer, start: number, end: number): number {
    let head: ResponseHead;
    let bodyAt: number;
    try {
      bodyAt = this.#headParser.push(chunk, start, end);
      if (bodyAt < 0) return -1;
      head = this.#headParser.head();
    } catch (error) {
      if (!(error instanceof MalformedHeadError)) throw error;
      this.fail(this.#error('BAD_RESPONSE', error.message, { cause: error }));
      return -1;
    }
    const bodyless = this.#message.isHead || head.status === 204 || head.status === 304;
    if (!bodyless) this.#bodyLeft = head.contentLength;
    this.#body = new ResponseBody(
      { taken: () => this.#onTaken(), cancelled: () => this.#onCancelled() },
      this.#settings.maxBodyBytes,
    );
    const ended = new Promise<EndRequestBody>((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    ended.catch(ignore); // rejects only for those who look at it
    this.#awaitBody();
    this.#resolve(new ClientResponse(head, this.#body, ended, () => this.#stderrText()));
    return bodyAt;
  }

  #readBody(piece: Buffer): void {
    if (this.#bodyLeft !== undefined) {
      const surplus = piece.length - this.#bodyLeft;
      if (surplus > 0) {
        if (this.#bodyLeft > 0) this.#body?.push(piece.subarray(0, this.#bodyLeft));
        this.fail(this.#error('BAD_RESPONSE', 'the body is longer than its Content-Length'));
        return;
      }
      this.#bodyLeft -= piece.length;
    }
    this.#body?.push(piece);
    if (this.#paused || this.#over || this.#held < this.#window) return;
    this.#paused = true;
    this.#connection?.pause(this);
    const { maxRequestsPerConnection, stallTimeout } = this.#settings;
    this.#deadline.set(maxRequestsPerConnection > 1 ? stallTimeout : Infinity, () => this.#onStall());
  }

  #onTaken(): void {
    if (!this.#paused || this.#over || this.#held > this.#window / 2) return;
    this.#paused = false;
    this.#awaitBody();
    this.#connection?.resume(this);
  }

  #onCancelled(): void {
    this.fail(this.#error('ABORTED', 'the reader destroyed the body before its end'));
  }

  #onStall(): void {
    if ((this.#connection?.load ?? 0) > 1 || this.#pool.waiting > 0) {
      this.fail(this.#error('SLOW_READER', 'the body was not read while other requests had to wait for that'));
    } else this.#deadline.refresh();
  }

  #onHeadTimeout(): void {
    if (this.#connection?.paused) return this.#deadline.refresh(); // it is us who do not read
    const { headTimeout } = this.#settings;
    this.fail(this.#error('HEAD_TIMEOUT', `the application sent no response head in ${headTimeout} ms`));
  }

  #awaitBody(): void {
    const { bodyTimeout } = this.#settings;
    this.#deadline.set(bodyTimeout, () => {
      if (this.#connection?.paused) this.#deadline.refresh();
      else this.fail(this.#error('BODY_TIMEOUT', `the application sent nothing more of the body in ${bodyTimeout} ms`));
    });
  }

  /** Nothing more is expected or sent. */
  #finish(): void {
    this.#over = true;
    this.#connection = undefined;
    this.#deadline.clear();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (!this.#uploaded) this.#uploading?.return().catch(ignore);
  }

  /** The application still works on it, or should: tell it not to. */
  #leave(connection: Connection, canWait: boolean): void {
    if (!connection.open) return;
    const { keepConn, maxRequestsPerConnection } = this.#settings;
    const alone = maxRequestsPerConnection === 1;
    // A connection of its own is closed (every application takes that for an abort) unless it can be used again.
    if (alone && !(canWait && keepConn && this.#uploaded)) connection.destroy();
    else {
      connection.abort(this.#id);
      connection.resume(this);
    }
  }

  #refusal({ protocolStatus, appStatus }: EndRequestBody): ClientError {
    const code = REFUSALS[protocolStatus];
    if (code) return this.#error(code, `the application refused the request: ${code}`);
    const what = this.#headParser.empty ? 'without any output' : 'within its head';
    return this.#error('BAD_RESPONSE', `the response ended ${what} (appStatus ${appStatus})`);
  }

  #tooShort(missing: number): ClientError {
    return this.#error('TRUNCATED', `the body is ${missing} bytes shorter than its Content-Length`);
  }

  #stderrText(): string {
    return Buffer.concat(this.#stderr).toString('utf8');
  }

  #error(code: ClientErrorCode, message: string, options?: { cause?: unknown }): ClientError {
    const stderr = this.#stderrText();
    return new ClientError(
      code,
      message,
      options && 'cause' in options ? { cause: options.cause, stderr } : { stderr },
    );
  }
}
