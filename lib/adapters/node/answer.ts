// ListenerAnswer: what an http.ServerResponse writes, as an HttpResponse: whole where it is written in one go, else a stream.

import { HttpResponse } from '../../app/index.ts';
import { Chunks } from './chunks.ts';
import { parseHead, type ResponseHead } from './response-head.ts';

type Done = (error?: Error | null) => void;

const NOTHING: AsyncIterable<Buffer> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ value: undefined, done: true }) }),
};
const WHOLE = 65_536; // bytes that may wait for the end; what has more is a stream
const HEAD_ENDS = '\r\n\r\n';
// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;
const INTERIM = 'HTTP/1.1 1';

export class ListenerAnswer {
  /** Rejects with what has ended it before its head was there. */
  readonly response: Promise<HttpResponse>;
  readonly #bodyless: boolean;
  readonly #onGivenUp: () => void;
  #resolve!: (response: HttpResponse) => void;
  #reject!: (error: unknown) => void;
  #head: ResponseHead | undefined;
  #chunks: Chunks | undefined; // of a body that the listener has framed by itself
  #pieces: Buffer[] = []; // until it is known whether there are more to come
  #held = 0; // bytes written so far
  #onHold = false;
  #streaming = false;
  #ended = false;
  #complete = false;
  #error: Error | undefined;
  #waiting: { resolve: (result: IteratorResult<Buffer>) => void; reject: (error: Error) => void } | undefined;
  #done: Done | undefined; // of the piece that is on its way

  /** `method`: what the client has sent. `onGivenUp`: nobody wants the rest of the body. */
  constructor(method: string, onGivenUp: () => void) {
    this.#bodyless = method === 'HEAD';
    this.#onGivenUp = onGivenUp;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether the listener has written everything. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether it has been handed on to its end, or has broken off. */
  get over(): boolean {
    return this.#complete || this.#error !== undefined;
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

  /** Everything has been written, but it is not to go yet. */
  hold(): void {
    this.#onHold = true;
  }

  /** Everything has been written. */
  end(): void {
    this.#ended = true;
    if (this.#streaming) this.#serve();
    else if (this.#done === undefined) this.#finish();
    else process.nextTick(() => this.#finish()); // 'finish' comes of it, and others may have yet to hear of 'prefinish'
  }

  #finish(): void {
    while (this.#done !== undefined) this.#makeRoom(); // what is left has been written already
    if (this.#head === undefined || this.over) return;
    this.#complete = true;
    this.#resolve(this.#whole(this.#head));
  }

  /** It breaks off. */
  fail(error: Error): void {
    if (this.over) return;
    this.#error = error;
    if (!this.#streaming) this.#reject(error);
    this.#serve();
  }

  #begin(text: string, encoding: BufferEncoding): void {
    this.#head = parseHead(text);
    // Before a body of known length Node writes the head in one piece with the text, in that one's encoding; what the client
    // sees of it is bytes.
    if (encoding !== 'latin1' && this.#head.hasLength && NOT_ASCII.test(text)) {
      this.#head = parseHead(Buffer.from(text, encoding).toString('latin1'));
    }
    if (this.#head.chunked) this.#chunks = new Chunks();
    queueMicrotask(() => this.#stream()); // whoever ends it at once has done so by then
  }

  #take(bytes: Buffer, done: Done): void {
    if (bytes.length === 0 || this.#bodyless) return done();
    this.#pieces.push(bytes);
    this.#held += bytes.length;
    // A listener that waits for 'drain' goes on before any microtask can run.
    if (!this.#streaming && this.#held <= WHOLE) return done();
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
    if (this.#onHold || this.#ended || this.#error !== undefined || this.#head === undefined) return;
    this.#streaming = true;
    this.#resolve(responseOf(this.#head, { [Symbol.asyncIterator]: () => this.#iterator() }));
  }

  #iterator(): AsyncIterator<Buffer> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.#waiting = { resolve, reject };
          this.#makeRoom(); // the piece before has been sent
          this.#serve();
        }),
      return: () => {
        if (!this.#bodyless) this.#onGivenUp(); // else it may write to its end, as under http
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }

  #makeRoom(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
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
    else {
      this.#complete = true;
      waiting.resolve({ value: undefined, done: true });
    }
  }
}

function responseOf({ status, fields }: ResponseHead, body: HttpResponse['body']): HttpResponse {
  const response = new HttpResponse(body, { status });
  for (let at = 0; at < fields.length; at += 2) response.headers.append(fields[at] as string, fields[at + 1] as string);
  response.typed = false; // a type that the listener has not set is not made up
  return response;
}
