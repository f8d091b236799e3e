// fromNode(): a Node listener, `(req, res)`, as a handler of an Application.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AppHandler, HttpRequest, HttpResponse } from '../../app/index.ts';
import { ListenerAnswer } from './answer.ts';
import { BodyPump, incomingMessage } from './incoming-message.ts';
import { RequestSocket } from './request-socket.ts';
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

class Exchange {
  readonly #request: HttpRequest;
  readonly #answer: ListenerAnswer;
  readonly #pump: BodyPump;
  readonly #socket: RequestSocket;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  /** By the client, the listener, or at the end. */
  readonly #onClosed = (): void => {
    if (this.#incoming.destroyed || (this.#finished && this.#incoming.complete)) return;
    this.#incoming.destroy(hangUp());
  };
  #finished = false;

  constructor(request: HttpRequest) {
    this.#request = request;
    const answer = (this.#answer = new ListenerAnswer(request.sentMethod, () => this.#socket.destroy()));
    const socket = (this.#socket = new RequestSocket({
      request,
      sink: (chunk, encoding, done) => answer.write(chunk, encoding, done),
      onWanted: () => this.#pump.wanted(),
      onEnd: () => answer.end(),
      onClose: (error) => {
        if (!this.#finished && !answer.over) answer.fail(closedEarly(error));
      },
    }));
    const incoming = (this.#incoming = incomingMessage(request, socket));
    this.#pump = new BodyPump(request, incoming, socket);
    socket.on('close', this.#onClosed); // before the response hears of it
    const outgoing = (this.#outgoing = serverResponse(incoming, socket));
    outgoing.once('prefinish', () => this.#onEnd());
    outgoing.once('finish', () => this.#onFinish());
    socket.on('drain', () => passDrain(outgoing));
    socket.on('error', () => {}); // whoever has destroyed it knows
    socket.on('timeout', () => this.#onTimeout());
  }

  run(listener: NodeListener): Promise<HttpResponse> {
    try {
      const returned = listener(this.#incoming, this.#outgoing);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
    if (!this.#answer.over) this.#request.onCancel((reason) => this.#abort(reason as Error));
    return this.#answer.response;
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
    const outgoing = this.#outgoing as Internals;
    this.#finished = true;
    this.#pump.drop();
    this.#outgoing.detachSocket(this.#socket as unknown as Socket);
    process.nextTick(() => {
      outgoing.destroyed = true;
      outgoing._closed = true;
      this.#outgoing.emit('close');
      if (this.#incoming.complete) this.#socket.off('close', this.#onClosed); // it need not wait for it, where nobody else does
      if (this.#pump.reading) this.#incoming.once('close', () => this.#socket.destroy());
      else this.#socket.destroy();
    });
  }

  /** As Node's own server: without a listener the connection is closed. */
  #onTimeout(): void {
    const { server } = this.#socket;
    const heard = [
      !this.#incoming.complete && this.#incoming.emit('timeout', this.#socket),
      !this.#finished && this.#outgoing.emit('timeout', this.#socket),
      server?.emit('timeout', this.#socket),
    ];
    if (!heard.includes(true)) this.#socket.destroy();
  }
}

/** What Node's server sets, too. */
type Internals = { destroyed: boolean; _closed?: boolean };

function hangUp(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' }); // Node's words
}

function closedEarly(cause: Error | null): Error {
  return new Error('the connection was closed before the answer was complete', cause === null ? {} : { cause });
}
