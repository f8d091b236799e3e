// ListenerAnswer: what an http.ServerResponse writes, as an HttpResponse: whole where it is written in one go, else a stream.

import { HttpResponse } from '../../app/index.ts';
import { Chunks } from './chunks.ts';
import { parseHead, type ResponseHead } from './response-head.ts';

type Done = (error?: Error | null) => void;

const NOTHING: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ value: undefined, done: true }) }),
};
const HEAD_ENDS = '\r\n\r\n';
const INTERIM = 'HTTP/1.1 1';

export class ListenerAnswer {
  /** Rejects with what has ended it before its head was there. */
  readonly response: Promise<HttpResponse>;
  readonly #bodyless: boolean;
  #resolve!: (response: HttpResponse) => void;
  #reject!: (error: unknown) => void;
  #head: ResponseHead | undefined;
  #chunks: Chunks | undefined; // of a body that the listener has framed by itself
  #pieces: Buffer[] = []; // until it is known whether there are more to come
  #streaming = false;
  #ended = false;
  #error: Error | undefined;
  #waiting: { resolve: (result: IteratorResult<Buffer>) => void; reject: (error: Error) => void } | undefined;
  #done: Done | undefined; // of the piece that is on its way

  /** `method`: what the client has sent. */
  constructor(method: string) {
    this.#bodyless = method === 'HEAD';
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether it is complete, or has broken off. */
  get over(): boolean {
    return this.#ended || this.#error !== undefined;
  }

  /** The next bytes of the connection. `done` is called when there is room for more. */
  write(chunk: string | Buffer, encoding: BufferEncoding, done: Done): void {
    let body = chunk;
    if (this.#head === undefined) {
      const text = typeof chunk === 'string' ? chunk : chunk.toString('latin1');
      if (text === '' || text.startsWith(INTERIM)) return done(); // FastCGI has no interim answers
      const end = text.indexOf(HEAD_ENDS) + HEAD_ENDS.length;
      this.#begin(text.slice(0, end), typeof chunk === 'string' ? encoding : 'latin1');
      body = typeof chunk === 'string' ? text.slice(end) : chunk.subarray(end);
    }
    const bytes = typeof body === 'string' ? Buffer.from(body, encoding) : body;
    this.#take(this.#chunks === undefined ? bytes : this.#chunks.push(bytes), done);
  }

  /** Everything has been written. */
  end(): void {
    this.#ended = true;
    if (this.#streaming) return this.#serve();
    if (this.#head !== undefined) this.#resolve(this.#whole(this.#head));
  }

  /** It breaks off. */
  fail(error: Error): void {
    if (this.#ended || this.#error !== undefined) return;
    this.#error = error;
    if (!this.#streaming) this.#reject(error);
    this.#serve();
  }

  #begin(text: string, encoding: BufferEncoding): void {
    // Node writes head and text in one piece, in the text's encoding; bytes are what the client sees of it.
    // eslint-disable-next-line no-control-regex
    const plain = encoding === 'latin1' || /^[\x00-\x7f]*$/.test(text);
    this.#head = parseHead(plain ? text : Buffer.from(text, encoding).toString('latin1'));
    if (this.#head.chunked) this.#chunks = new Chunks();
    queueMicrotask(() => this.#stream()); // whoever ends it at once has done so by then
  }

  #take(bytes: Buffer, done: Done): void {
    if (bytes.length > 0) this.#pieces.push(bytes);
    if (!this.#streaming || bytes.length === 0) return done();
    this.#done = done;
    this.#serve();
  }

  #whole(head: ResponseHead): HttpResponse {
    if (this.#bodyless) return responseOf(head, NOTHING); // of unknown length, unless the head says it
    const [first, ...more] = this.#pieces;
    this.#pieces = [];
    return responseOf(head, more.length === 0 ? first : Buffer.concat([first as Buffer, ...more]));
  }

  #stream(): void {
    if (this.#ended || this.#error !== undefined || this.#head === undefined) return;
    this.#streaming = true;
    this.#resolve(responseOf(this.#head, { [Symbol.asyncIterator]: () => this.#iterator() }));
  }

  #iterator(): AsyncIterator<Buffer> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          const done = this.#done; // the piece before has been sent
          this.#done = undefined;
          this.#waiting = { resolve, reject };
          done?.();
          this.#serve();
        }),
      return: () => Promise.resolve({ value: undefined, done: true }),
    };
  }

  /** Hand on what there is, to whoever waits for it. */
  #serve(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const value = this.#pieces.shift();
    if (value === undefined && this.#error === undefined && !this.#ended) return;
    this.#waiting = undefined;
    if (value !== undefined) waiting.resolve({ value, done: false });
    else if (this.#error !== undefined) waiting.reject(this.#error);
    else waiting.resolve({ value: undefined, done: true });
  }
}

function responseOf({ status, fields }: ResponseHead, body: HttpResponse['body']): HttpResponse {
  const response = new HttpResponse(body, { status, headers: fields });
  response.typed = false; // a type that the listener has not set is not made up
  return response;
}
