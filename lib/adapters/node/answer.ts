// ListenerAnswer: what an http.ServerResponse writes, as an HttpResponse: whole where it is written in one go, else a stream.

import { HttpResponse } from '../../app/index.ts';
import { Chunks } from './chunks.ts';
import { parseHead, type ResponseHead } from './response-head.ts';

const NOTHING: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ value: undefined, done: true }) }),
};
const WHOLE = 65_536; // bytes, or characters, that may wait for the end; what has more is a stream
const HEAD_ENDS = '\r\n\r\n';
// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;
const INTERIM = 'HTTP/1.1 1';
const UTF8: ReadonlySet<string> = new Set(['utf8', 'utf-8']); // what text is sent as in any case

/** Who is told what becomes of it. */
export interface AnswerOwner {
  /** Nobody wants the rest of the body. */
  givenUp(): void;
  /** There is room for more. */
  room(): void;
}

interface Announced {
  readonly text: string;
  readonly encoding: BufferEncoding;
}

export class ListenerAnswer {
  readonly #bodyless: boolean;
  readonly #owner: AnswerOwner;
  #response: HttpResponse | undefined; // what has come before anybody has asked for it
  #settle: { resolve: (response: HttpResponse) => void; reject: (error: unknown) => void } | undefined;
  #announced: Announced | undefined;
  #head: ResponseHead | undefined;
  #chunks: Chunks | undefined; // of a body that the listener has framed by itself
  #pieces: (string | Uint8Array)[] = []; // until it is known whether there are more to come
  #held = 0; // so much has been written
  #full = false; // until the piece that is on its way has been sent
  #onHold = false;
  #streaming = false;
  #ended = false;
  #complete = false;
  #error: Error | undefined;
  #waiting:
    { resolve: (result: IteratorResult<string | Uint8Array>) => void; reject: (error: Error) => void } | undefined;

  /** `method`: what the client has sent. */
  constructor(method: string, owner: AnswerOwner) {
    this.#bodyless = method === 'HEAD';
    this.#owner = owner;
  }

  /** Call it once. Rejects with what has ended it before its head was there. */
  response(): HttpResponse | Promise<HttpResponse> {
    if (this.#response !== undefined) return this.#response;
    return new Promise((resolve, reject) => {
      if (this.#error === undefined) this.#settle = { resolve, reject };
      else reject(this.#error);
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

  /** Its head, as Node's http makes it; it counts with the first write. `encoding`: what Node would have written it in. */
  announce(text: string, encoding: BufferEncoding): void {
    this.#announced = { text, encoding };
  }

  #begin({ text, encoding }: Announced): void {
    let head = parseHead(text);
    // Before a body of known length Node writes the head in one piece with the text, in that one's encoding; what the client
    // sees of it is bytes.
    if (encoding !== 'latin1' && head.hasLength && NOT_ASCII.test(text)) {
      head = parseHead(Buffer.from(text, encoding).toString('latin1'));
    }
    this.#head = head;
    if (head.chunked) this.#chunks = new Chunks();
    queueMicrotask(() => this.#stream()); // whoever ends it at once has done so by then
  }

  /** The next bytes of the connection. False: no more of them until the owner is told that there is room. */
  write(chunk: string | Uint8Array, encoding: BufferEncoding): boolean {
    let body = chunk;
    if (this.#head === undefined) {
      let announced = this.#announced;
      if (announced === undefined) {
        const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1');
        if (text === '' || text.startsWith(INTERIM)) return true; // FastCGI has no interim answers
        const end = text.indexOf(HEAD_ENDS) + HEAD_ENDS.length; // somebody writes to the socket by hand
        announced = { text: text.slice(0, end), encoding: 'latin1' };
        body = typeof chunk === 'string' ? text.slice(end) : chunk.subarray(end);
      }
      this.#begin(announced);
    }
    if (this.#chunks !== undefined) return this.#take(this.#chunks.push(copyOf(body, encoding)));
    return this.#take(typeof body === 'string' && UTF8.has(encoding) ? body : copyOf(body, encoding));
  }

  /** Everything has been written, but it is not to go yet. */
  hold(): void {
    this.#onHold = true;
  }

  /** Everything has been written. */
  end(): void {
    this.#ended = true;
    if (this.#streaming) this.#serve();
    else if (!this.#full) this.#finish();
    else process.nextTick(() => this.#finish()); // 'finish' comes of it, and others may have yet to hear of 'prefinish'
  }

  #finish(): void {
    while (this.#full) this.#makeRoom(); // what is left has been written already
    if (this.#head === undefined || this.over) return;
    this.#complete = true;
    this.#answer(this.#whole(this.#head));
  }

  /** It breaks off. */
  fail(error: Error): void {
    if (this.over) return;
    this.#error = error;
    if (!this.#streaming) this.#settle?.reject(error);
    this.#serve();
  }

  #answer(response: HttpResponse): void {
    if (this.#settle === undefined) this.#response = response;
    else this.#settle.resolve(response);
  }

  #take(piece: string | Uint8Array): boolean {
    if (piece.length === 0 || this.#bodyless) return true;
    this.#pieces.push(piece);
    this.#held += piece.length;
    // A listener that waits for 'drain' goes on before any microtask can run.
    if (!this.#streaming && this.#held <= WHOLE) return true;
    this.#full = true;
    this.#serve();
    return false;
  }

  #whole(head: ResponseHead): HttpResponse {
    if (this.#bodyless) return responseOf(head, NOTHING); // of unknown length, unless the head says it
    const pieces = this.#pieces;
    this.#pieces = [];
    return responseOf(
      head,
      pieces.length < 2
        ? pieces[0]
        : Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece))),
    );
  }

  #stream(): void {
    if (this.#onHold || this.#ended || this.#error !== undefined || this.#head === undefined) return;
    this.#streaming = true;
    this.#answer(responseOf(this.#head, { [Symbol.asyncIterator]: () => this.#iterator() }));
  }

  #iterator(): AsyncIterator<string | Uint8Array> {
    return {
      next: () =>
        new Promise((resolve, reject) => {
          this.#waiting = { resolve, reject };
          this.#makeRoom(); // the piece before has been sent
          this.#serve();
        }),
      return: () => {
        if (!this.#bodyless) this.#owner.givenUp(); // else it may write to its end, as under http
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }

  #makeRoom(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#owner.room();
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

/** Whoever has written bytes may use their memory again as soon as that is called done, which is before they are sent. */
function copyOf(body: string | Uint8Array, encoding: BufferEncoding): Buffer {
  return typeof body === 'string' ? Buffer.from(body, encoding) : Buffer.from(body);
}

function responseOf({ status, fields }: ResponseHead, body: HttpResponse['body']): HttpResponse {
  const response = new HttpResponse(body, { status });
  for (let at = 0; at < fields.length; at += 2) response.headers.append(fields[at] as string, fields[at + 1] as string);
  response.typed = false; // a type that the listener has not set is not made up
  return response;
}
