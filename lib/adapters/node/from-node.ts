// fromNode(): a Node listener, `(req, res)`, as a handler of an Application.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { AppHandler, HttpRequest, HttpResponse } from '../../app/index.ts';
import { ListenerAnswer } from './answer.ts';
import { BodyPump, incomingMessage } from './incoming-message.ts';
import { RequestSocket } from './request-socket.ts';

/** What http.createServer takes. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * The listener gets Node's own http.IncomingMessage and http.ServerResponse, and what it answers goes the way of every
 * response: through the layers around, with the request's signals and database connections. An error that it throws before
 * its answer has begun is an error of the handler (under http it would end the process); later it cuts the answer.
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

  constructor(request: HttpRequest) {
    this.#request = request;
    const answer = (this.#answer = new ListenerAnswer(request.sentMethod));
    const socket = (this.#socket = new RequestSocket({
      request,
      sink: (chunk, encoding, done) => answer.write(chunk, encoding, done),
      onWanted: () => this.#pump.wanted(),
      onClose: () => this.#closed(),
    }));
    const incoming = (this.#incoming = incomingMessage(request, socket, urlOf(request)));
    this.#pump = new BodyPump(request, incoming, socket);
    const outgoing = (this.#outgoing = new ServerResponse(incoming));
    // The web server frames the answer and keeps its own connection; a Content-Length is set where it is known, as always.
    outgoing.removeHeader('Connection');
    outgoing.removeHeader('Transfer-Encoding');
    outgoing.sendDate = false; // it is the web server's
    outgoing.assignSocket(socket as unknown as Socket);
    outgoing.once('prefinish', () => answer.end());
    outgoing.once('finish', () => this.#finished());
    socket.on('drain', () => outgoing.emit('drain'));
    socket.on('error', () => {}); // whoever has destroyed it knows
    socket.on('timeout', () => this.#timedOut());
  }

  run(listener: NodeListener): Promise<HttpResponse> {
    this.#request.onCancel((reason) => this.#socket.destroy(reason as Error));
    try {
      const returned = listener(this.#incoming, this.#outgoing);
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(error));
    } catch (error) {
      this.#failed(error);
    }
    return this.#answer.response;
  }

  #failed(error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error), { cause: error });
    this.#answer.fail(reason);
    this.#socket.destroy(reason);
  }

  /** As Node's own server: the two are over, what is left of the body is not wanted. */
  #finished(): void {
    const outgoing = this.#outgoing as Internals;
    this.#pump.drop();
    this.#outgoing.detachSocket(this.#socket as unknown as Socket);
    process.nextTick(() => {
      outgoing.destroyed = true;
      outgoing._closed = true;
      this.#outgoing.emit('close');
      this.#socket.destroy();
    });
  }

  /** By the client, the listener, or at the end. */
  #closed(): void {
    if (!this.#answer.over) this.#answer.fail(new Error('the connection was closed before the answer was complete'));
    if (!this.#incoming.complete && !this.#incoming.destroyed) this.#incoming.destroy(hangUp());
  }

  /** As Node's own server: without a listener the connection is closed. */
  #timedOut(): void {
    const heard = [
      !this.#incoming.complete && this.#incoming.emit('timeout', this.#socket),
      this.#outgoing.emit('timeout', this.#socket),
    ];
    if (!heard.includes(true)) this.#socket.destroy();
  }
}

/** What Node's server sets, too. */
type Internals = { destroyed: boolean; _closed?: boolean };

function hangUp(): Error {
  return Object.assign(new Error('aborted'), { code: 'ECONNRESET' }); // Node's words
}

/** Below a mount a listener sees the path from there, as Express's own `use` has it. */
function urlOf(request: HttpRequest): string {
  const { target } = request;
  const query = target.indexOf('?');
  return query < 0 ? request.path : request.path + target.slice(query);
}
