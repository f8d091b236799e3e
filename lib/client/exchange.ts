// One request and its response: from waiting for a connection to END_REQUEST, whatever happens in between.

import type { EndRequestBody } from '../protocol/index.ts';
import { ClientError } from './client-error.ts';
import type { Connection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { Settings } from './options.ts';
import type { Job, Pool } from './pool.ts';
import { openingOf, type Message, type Upload } from './request.ts';
import { ResponseReader } from './response-reader.ts';
import { ClientResponse } from './response.ts';
import type { Receiver } from './slots.ts';
import { sendUploads } from './upload.ts';

const ignore = (): void => {};

export class Exchange implements Job, Receiver {
  /** Settles once: with the response as soon as its head has come, or with a ClientError. */
  readonly response: Promise<ClientResponse>;
  readonly #settings: Settings;
  readonly #pool: Pool;
  readonly #message: Message;
  readonly #signal: AbortSignal | undefined;
  readonly #reader: ResponseReader;
  readonly #deadline: Deadline = new Deadline();
  #connection: Connection | undefined;
  #id = 0;
  #fresh = false;
  #reused = false; // the connection had served before
  #delivered = false; // all that leaves at first has reached the system
  #answered = false; // a record came for it
  #uploaded = false;
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
    this.#reader = new ResponseReader(settings, message.isHead, {
      taken: () => this.#onTaken(),
      cancelled: () => this.fail(this.#reader.error('ABORTED', 'the reader destroyed the body before its end')),
    });
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
    this.#connection = connection;
    this.#reused = connection.served > 0;
    this.#id = connection.add(this);
    // Several requests on a connection: it must outlive the first of them, so it is this client that closes it.
    const { buffers, rest } = openingOf(this.#message, this.#id, this.#settings.keepConn || this.#shares);
    this.#awaitHead();
    connection.write(buffers, this.#reused ? () => (this.#delivered = true) : undefined);
    if (rest.length === 0) this.#uploaded = true;
    else void this.#upload(connection, rest);
  }

  fail(error: ClientError): void {
    if (this.#over) return;
    const connection = this.#connection;
    this.#finish();
    this.#reject(error);
    this.#reader.body.end(error);
    this.#rejectEnded(error);
    if (connection) this.#leave(connection, error.code === 'ABORTED');
    else this.#pool.cancel(this);
  }

  stdout(chunk: Buffer, start: number, end: number): void {
    this.#answered = true;
    if (start === end || this.#over) return;
    const hadHead = this.#reader.head !== undefined;
    const fault = this.#reader.stdout(chunk, start, end);
    if (hadHead) this.#deadline.refresh();
    else if (this.#reader.head) this.#respond();
    if (fault) this.fail(fault);
    else this.#holdBack();
  }

  stderr(chunk: Buffer, start: number, end: number): void {
    this.#answered = true;
    this.#reader.stderr(chunk, start, end);
  }

  ended(body: EndRequestBody): void {
    if (this.#over) return;
    const connection = this.#connection;
    // Records of a request that has ended are to be ignored (3.3), but an application that takes one request at a time may
    // be waiting for the rest of STDIN.
    if (!this.#uploaded && !this.#shares) connection?.retire();
    this.#finish();
    const fault = this.#reader.ended(body);
    if (fault) this.#reject(fault);
    this.#reader.body.end(fault);
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
    const truncated = error.code === 'CLOSED' && this.#reader.head !== undefined;
    this.fail(this.#reader.error(truncated ? 'TRUNCATED' : error.code, error.message, error));
  }

  /** Whether requests share connections. */
  get #shares(): boolean {
    return this.#settings.maxRequestsPerConnection > 1;
  }

  get #window(): number {
    return this.#shares ? this.#settings.multiplexWindow : this.#settings.window;
  }

  readonly #onAbort = (): void => {
    this.fail(this.#reader.error('ABORTED', 'the request was aborted', { cause: this.#signal?.reason }));
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
    const goesOn = (): boolean => {
      if (this.#over || this.#connection !== connection || !connection.writable) return false;
      if (this.#reader.head === undefined) this.#deadline.refresh();
      return true;
    };
    try {
      this.#uploaded = await sendUploads(connection, this.#id, uploads, goesOn);
    } catch (cause) {
      this.fail(this.#reader.error('SOURCE_FAILED', 'the body to be sent failed', { cause }));
    }
  }

  #awaitHead(): void {
    const { headTimeout } = this.#settings;
    this.#deadline.set(headTimeout, () => {
      if (this.#connection?.paused)
        this.#deadline.refresh(); // it is us who do not read
      else this.fail(this.#reader.error('HEAD_TIMEOUT', `no response head in ${headTimeout} ms`));
    });
  }

  #awaitBody(): void {
    const { bodyTimeout } = this.#settings;
    this.#deadline.set(bodyTimeout, () => {
      if (this.#connection?.paused) this.#deadline.refresh();
      else this.fail(this.#reader.error('BODY_TIMEOUT', `nothing more of the body in ${bodyTimeout} ms`));
    });
  }

  #respond(): void {
    const { head, body } = this.#reader;
    if (head === undefined) return;
    const ended = new Promise<EndRequestBody>((resolve, reject) => {
      this.#resolveEnded = resolve;
      this.#rejectEnded = reject;
    });
    ended.catch(ignore); // rejects only for those who look at it
    this.#awaitBody();
    this.#resolve(new ClientResponse(head, body, ended, () => this.#reader.stderrText));
  }

  /** Stop reading where the body's reader is a window behind. */
  #holdBack(): void {
    if (this.#paused || this.#over || this.#reader.body.held < this.#window) return;
    this.#paused = true;
    this.#connection?.pause(this);
    this.#deadline.set(this.#shares ? this.#settings.stallTimeout : Infinity, () => {
      if ((this.#connection?.load ?? 0) < 2 && this.#pool.waiting === 0) this.#deadline.refresh();
      else
        this.fail(this.#reader.error('SLOW_READER', 'the body was not read while other requests had to wait for it'));
    });
  }

  #onTaken(): void {
    if (!this.#paused || this.#over || this.#reader.body.held > this.#window / 2) return;
    this.#paused = false;
    this.#awaitBody();
    this.#connection?.resume(this);
  }

  /** Nothing more is expected or sent. */
  #finish(): void {
    this.#over = true;
    this.#connection = undefined;
    this.#deadline.clear();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  /** The application still works on it, or should: tell it not to. */
  #leave(connection: Connection, canWait: boolean): void {
    if (!connection.open) return;
    // A connection of its own is closed (every application takes that for an abort) unless it can be used again.
    if (!this.#shares && !(canWait && this.#settings.keepConn && this.#uploaded)) connection.destroy();
    else {
      connection.abort(this.#id);
      connection.resume(this);
    }
  }
}
