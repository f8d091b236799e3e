// Relay: one HTTP request, its FastCGI request, and the answer on its way back.

import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { ClientError, type Client, type ClientResponse } from '../client/index.ts';
import { answerFields, isBodyless } from './answer-head.ts';
import { hostOf } from './host.ts';
import { metaVariables, redirected } from './meta-variables.ts';
import type { Settings } from './options.ts';
import { Problem, problemOf, problemPage } from './problem.ts';
import { bodyOf, discardRest } from './request-body.ts';
import { readTarget, type Target } from './target.ts';

const MAX_REDIRECTS = 10;
const DISCARD_WITHIN = 5000; // ms, for bodies that nobody wants

export class Relay {
  /** Bytes of the answer's body so far. */
  bytes = 0;
  /** How it ended. */
  end: 'complete' | 'cut' | 'gone' = 'complete';
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #gone: AbortSignal;
  readonly #client: Client;
  readonly #settings: Settings;
  #lengthKnown = false; // to the client, by the answer's Content-Length

  /** `gone`: aborted when the client's connection is. */
  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
    client: Client,
    settings: Settings,
  ) {
    this.#request = request;
    this.#response = response;
    this.#gone = gone;
    this.#client = client;
    this.#settings = settings;
  }

  /** Resolves when the answer is sent, or nobody is there to take it. Never rejects. */
  async run(): Promise<void> {
    try {
      const problem = await this.#settings.before();
      if (problem !== undefined) await this.#sendProblem(problem);
      else await this.#answer(await this.#ask());
    } catch (error) {
      await this.#fail(error);
    }
    if (this.#gone.aborted && this.end === 'complete' && !this.#response.writableFinished) this.end = 'gone';
  }

  /** What the application answers, once it is not a local redirect. */
  async #ask(): Promise<ClientResponse> {
    const target = readTarget(this.#request.url ?? '/');
    if (target === undefined) throw badTarget('The path of this request cannot be decoded, or leads above the root.');
    const host = hostOf(this.#request, target);
    if (host === undefined) throw new Problem(400, 'This request has no host, or one that is none, or two.');
    const { length, stdin } = await bodyOf(this.#request, this.#settings.maxChunkedBody);
    const signal = this.#gone;
    let params = metaVariables(this.#request, target, host, length);
    let response = await this.#client.request({ params, signal, ...(stdin && { stdin }) });
    for (let count = 0; response.localRedirect !== undefined; count += 1) {
      await this.#discard(response);
      if (count === MAX_REDIRECTS)
        throw new Problem(502, `More than ${MAX_REDIRECTS} local redirects, one to the next.`);
      params = redirected(params, this.#redirectTarget(response.localRedirect));
      response = await this.#client.request({ params, signal });
    }
    return response;
  }

  #redirectTarget(location: string): Target {
    const target = readTarget(location);
    if (target === undefined) throw new Problem(502, `The application redirects to a path that is none: ${location}`);
    return target;
  }

  async #answer(response: ClientResponse): Promise<void> {
    const { status, statusText } = response;
    if (status < 200) {
      response.body.destroy();
      throw new Problem(502, `The gateway cannot pass on ${status}: it speaks HTTP/1.1 and no other protocol.`);
    }
    try {
      this.#response.writeHead(status, statusText || (STATUS_CODES[status] ?? 'Unknown'), answerFields(response));
    } catch (error) {
      response.body.destroy();
      throw new Problem(502, 'The application has sent a header that HTTP does not allow.', {
        detail: error instanceof Error ? error.message : String(error),
      });
    }
    this.#lengthKnown = response.header('content-length') !== undefined;
    if (isBodyless(this.#request.method, status)) {
      await this.#finish();
      await this.#discard(response);
    } else {
      this.#response.write('', 'latin1'); // the body may take its time; flushHeaders() would send the head as UTF-8
      for await (const piece of response.body as AsyncIterable<Buffer>) {
        this.bytes += piece.length;
        if (!this.#response.write(piece)) await this.#room();
      }
      await this.#finish();
    }
    this.#log(response.stderr);
  }

  async #fail(error: unknown): Promise<void> {
    if (error instanceof ClientError) this.#log(error.stderr);
    if (this.#gone.aborted) {
      this.end = 'gone';
      return;
    }
    const problem = this.#problemOf(error);
    if (!this.#response.headersSent) {
      this.#log(`${this.#name}: ${problem.message}${error instanceof ClientError ? ` (${error.message})` : ''}`);
      await this.#sendProblem(problem);
      return;
    }
    this.end = 'cut';
    this.#log(`${this.#name}: the answer is cut: ${error instanceof Error ? error.message : String(error)}`);
    this.#cut();
  }

  #problemOf(error: unknown): Problem {
    const { to, timeout } = this.#settings;
    const { complete, readableLength } = this.#request;
    if (error instanceof ClientError && error.code === 'HEAD_TIMEOUT' && !complete && readableLength === 0) {
      return new Problem(408, `Nothing more of the request's body has come within ${timeout} ms.`);
    }
    return problemOf(error, to, timeout);
  }

  async #sendProblem(problem: Problem): Promise<void> {
    const { type, body } = problemPage(problem, this.#request);
    const bytes = Buffer.from(body);
    const isHead = this.#request.method === 'HEAD';
    const { status } = problem;
    if (status === 400) this.#response.shouldKeepAlive = false; // whoever sent that may mean another request's beginning elsewhere
    this.#response.writeHead(status, STATUS_CODES[status] ?? '', {
      'Content-Type': type,
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
      ...(status === 503 && { 'Retry-After': 1 }),
    });
    if (!isHead) this.#response.write(bytes);
    this.bytes = isHead ? 0 : bytes.length;
    await this.#finish();
  }

  /** End the answer. Resolves when it has been handed to the system, or the client is gone; rejects where it does not take it. */
  async #finish(): Promise<void> {
    // Node closes at once behind the last answer, and with input unread that is a reset, which can overtake the answer.
    if (!this.#response.shouldKeepAlive) await discardRest(this.#request, DISCARD_WITHIN);
    const finished = this.#until('finish');
    this.#response.end();
    await finished;
    void discardRest(this.#request, DISCARD_WITHIN);
  }

  /** Resolves when the client has taken some of what waits for it. */
  #room(): Promise<void> {
    return this.#until('drain');
  }

  /** Resolves with the event, or when the client is gone; rejects after the timeout. */
  #until(event: 'drain' | 'finish'): Promise<void> {
    const response = this.#response;
    const gone = this.#gone;
    const { timeout } = this.#settings;
    if (gone.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => over(new Error(`the client took nothing in ${timeout} ms`)), timeout);
      const over = (error?: unknown): void => {
        clearTimeout(timer);
        response.off(event, over);
        gone.removeEventListener('abort', over);
        if (error instanceof Error) reject(error);
        else resolve();
      };
      response.once(event, over);
      gone.addEventListener('abort', over);
    });
  }

  /** A body that nobody wants is read to its end, so that the application does not take it for an abort. */
  async #discard({ body }: ClientResponse): Promise<void> {
    const deadline = setTimeout(() => body.destroy(), DISCARD_WITHIN);
    await new Promise((resolve) => body.once('close', resolve).resume());
    clearTimeout(deadline);
  }

  /** Close behind what has come of the answer, in a way that no client takes for its end. */
  #cut(): void {
    const { socket } = this.#response;
    if (socket === null) this.#response.destroy();
    else if (!this.#response.chunkedEncoding && !this.#lengthKnown) socket.resetAndDestroy();
    else {
      socket.setTimeout(this.#settings.timeout, () => socket.destroy()); // it may take nothing more
      socket.destroySoon();
    }
  }

  get #name(): string {
    return `${this.#request.method} ${this.#request.url}`;
  }

  #log(text: string): void {
    for (const line of text.split('\n')) if (line.trim() !== '') this.#settings.onLog(line.trimEnd());
  }
}

const badTarget = (message: string): Problem =>
  new Problem(400, message, { advice: ['nginx refuses it too. A % that stands for itself is written %25.'] });
