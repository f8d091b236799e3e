// fromNode(): a Node listener, `(req, res)`, as a handler of an Application.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AppHandler, HttpRequest, HttpResponse } from '../../app/index.ts';
import { type AnswerOwner, ListenerAnswer } from './answer.ts';
import { BodyPump, incomingMessage } from './incoming-message.ts';
import { RequestSocket, type SocketOwner } from './request-socket.ts';
import { passDrain, serverResponse } from './server-response.ts';

/** What http.createServer takes. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => unknown;

const READING_ON = 300_000; // ms for the body behind an answer: http.Server's requestTimeout
const STALLED = 1000; // ms without a piece of it being read: a parser that has given up leaves it as it is

/**
 * The listener gets Node's own http.IncomingMessage and http.ServerResponse, and what it answers goes the way of every
 * response: through the layers around, with the request's signals and database connections. An error that it throws before
 * its answer has begun is an error of the handler (under http it would end the process); until the answer's end it cuts that;
 * behind it, it is an uncaught one.
 */
export function fromNode(listener: NodeListener): AppHandler {
  if (typeof listener !== 'function') throw new TypeError('fromNode: a listener is a function (request, response)');
  return (request) => new Exchange(request).run(listener);
}

class Exchange implements SocketOwner, AnswerOwner {
  readonly #request: HttpRequest;
  readonly #answer: ListenerAnswer;
  readonly #pump: BodyPump;
  readonly #socket: RequestSocket;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  #finished = false;

  constructor(request: HttpRequest) {
    this.#request = request;
    this.#answer = new ListenerAnswer(request.sentMethod, this);
    this.#socket = new RequestSocket(request, this);
    this.#incoming = incomingMessage(request, this.#socket);
    this.#pump = new BodyPump(request, this.#incoming, this.#socket);
    this.#outgoing = serverResponse(this.#incoming, this.#socket);
    this.#outgoing.on('prefinish', () => this.#onEnd());
    this.#outgoing.on('finish', () => this.#onFinish());
  }

  run(listener: NodeListener): HttpResponse | Promise<HttpResponse> {
    try {
      const returned = listener(this.#incoming, this.#outgoing);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#answer.over) this.#request.onCancel((reason) => this.#abort(reason as Error));
    return this.#answer.response();
  }

  head(text: string, encoding: BufferEncoding): void {
    this.#answer.announce(text, encoding);
  }

  take(chunk: string | Uint8Array, encoding: BufferEncoding): boolean {
    return this.#answer.write(chunk, encoding);
  }

  room(): void {
    this.#socket.room();
  }

  drained(): void {
    passDrain(this.#outgoing);
  }

  wanted(): void {
    this.#pump.wanted();
  }

  ended(): void {
    this.#answer.end();
  }

  closed(error: Error | null): boolean {
    if (!this.#finished && !this.#answer.over) this.#answer.fail(closedEarly(error));
    return !this.#finished || !this.#incoming.complete;
  }

  /** By the client, the listener, or at the end; before the response hears of it. */
  gone(): void {
    if (this.#incoming.destroyed || (this.#finished && this.#incoming.complete)) return;
    this.#incoming.destroy(hangUp());
  }

  givenUp(): void {
    this.#socket.destroy();
  }

  /** As Node's own server: without a listener the connection is closed. */
  timedOut(): void {
    const { server } = this.#socket;
    const heard = [
      !this.#incoming.complete && this.#incoming.emit('timeout', this.#socket),
      !this.#finished && this.#outgoing.emit('timeout', this.#socket),
      server?.emit('timeout', this.#socket),
    ];
    if (!heard.includes(true)) this.#socket.destroy();
  }

  /** What Node's server does with the turn after 'finish'. */
  close(): void {
    const outgoing = this.#outgoing as Internals;
    outgoing.destroyed = true;
    outgoing._closed = true;
    this.#outgoing.emit('close');
    if (this.#pump.reading) this.#incoming.once('close', () => this.#socket.destroy());
    else this.#socket.destroy();
  }

  #abort(reason: Error): void {
    this.#answer.fail(reason);
    this.#socket.destroy();
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error), { cause: error });
    if (this.#answer.ended) {
      process.nextTick(() => {
        throw reason; // nobody waits for it any more
      });
      return;
    }
    this.#answer.fail(reason);
    this.#socket.destroy(reason);
  }

  /** Web servers send no more of a body when the answer has begun, so who reads on has it first. */
  #onEnd(): void {
    if (!this.#pump.reading) return this.#answer.end();
    this.#answer.hold();
    const late = setTimeout(() => this.#incoming.destroy(hangUp()), READING_ON).unref();
    this.#pump.onceStalled(STALLED, () => this.#answer.end());
    this.#incoming.once('close', () => {
      clearTimeout(late);
      this.#answer.end();
    });
  }

  /** As Node's own server: what nobody has read is not wanted. */
  #onFinish(): void {
    this.#finished = true;
    this.#pump.drop();
    this.#outgoing.detachSocket(this.#socket as unknown as Socket);
    process.nextTick(close, this);
  }
}

function close(exchange: Exchange): void {
  exchange.close();
}

/** What Node's server sets, too. */
type Internals = { destroyed: boolean; _closed?: boolean };

function hangUp(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' }); // Node's words
}

function closedEarly(cause: Error | null): Error {
  return new Error('the connection was closed before the answer was complete', cause === null ? {} : { cause });
}
