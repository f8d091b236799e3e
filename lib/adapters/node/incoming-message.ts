// An http.IncomingMessage for a request that came by FastCGI.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { HttpRequest } from '../../app/index.ts';
import { requestHeaderLines } from '../../cgi/index.ts';
import type { RequestSocket } from './request-socket.ts';

/** Header names are as HTTP/2 has them, in lower case: CGI does not keep how they were written. */
export function incomingMessage(request: HttpRequest, socket: RequestSocket): IncomingMessage {
  const message = new IncomingMessage(socket as unknown as Socket);
  message.method = request.method;
  setUrl(message, request);
  message.httpVersionMajor = 1;
  message.httpVersionMinor = 1; // the web server's client may speak another one: keep-alive and chunks are the web server's business
  message.httpVersion = '1.1';
  const lines = requestHeaderLines(request.environ);
  (message as unknown as Internals)._addHeaderLines(lines, lines.length); // `headers` is made of them when it is asked for
  return message;
}

/**
 * As the client has sent it. Below a mount a listener sees the path from there; where it is mounted stands where Express's
 * `use` and connect's leave it, for redirects, cookies and views.
 */
function setUrl(message: IncomingMessage & Mounted, { target, mount, path }: HttpRequest): void {
  message.url = target;
  if (mount === '') return;
  const query = target.indexOf('?');
  message.url = query < 0 ? path : path + target.slice(query);
  message.originalUrl = target;
  message.baseUrl = mount;
}

interface Mounted {
  originalUrl?: string;
  baseUrl?: string;
}

/** What Node's own server calls. */
interface Internals {
  _addHeaderLines(lines: string[], count: number): void;
  _dump(): void;
}

/** Hands the body of a request to its message, as fast as that is read. */
export class BodyPump {
  readonly #request: HttpRequest;
  readonly #message: IncomingMessage;
  readonly #socket: RequestSocket;
  #begun = false;
  #running = false;
  #stalled: NodeJS.Timeout | undefined;

  constructor(request: HttpRequest, message: IncomingMessage, socket: RequestSocket) {
    this.#request = request;
    this.#message = message;
    this.#socket = socket;
  }

  /** The message has room. */
  wanted(): void {
    if (this.#running || this.#message.complete || this.#message.destroyed) return;
    this.#begun = true;
    this.#running = true;
    this.#stalled?.refresh();
    void this.#run();
  }

  /** Whether somebody is at the body. Pipes and iterators have a listener, too; `resume()` alone throws it away. */
  get reading(): boolean {
    return !this.#message.complete && !this.#message.destroyed && this.#isHeard();
  }

  /** `listener` is called once nobody has taken what there is for so long (ms); that the client is slow does not count. */
  onceStalled(ms: number, listener: () => void): void {
    const stop = (): void => {
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
    };
    this.#message.once('close', stop);
    this.#stalled = setTimeout(() => {
      if (this.#running && this.#message.readableLength === 0) return void this.#stalled?.refresh();
      stop();
      listener();
    }, ms).unref();
  }

  /** A body that nobody wants ends here. One that somebody has begun to read does not: part of a body is no body. */
  drop(): void {
    const message = this.#message;
    if (message.complete || message.destroyed) return;
    if (this.#begun && (this.#isHeard() || message.readableFlowing !== true)) return;
    message.complete = true;
    message.push(null);
    // Node 26 is through sooner with a message that has no body.
    if (this.#begun || (this.#request.contentLength ?? 0) > 0) message.resume();
    else (message as unknown as Internals)._dump();
  }

  #isHeard(): boolean {
    return this.#message.listenerCount('data') + this.#message.listenerCount('readable') > 0;
  }

  async #run(): Promise<void> {
    const message = this.#message;
    try {
      for (;;) {
        const piece = await this.#request.body.read();
        if (message.destroyed || message.complete) return;
        if (piece === undefined) {
          message.complete = true;
          message.push(null);
          return;
        }
        this.#socket.bytesRead += piece.length;
        this.#socket.touch();
        this.#stalled?.refresh();
        if (!message.push(piece)) return;
      }
    } catch (error) {
      if (!this.#socket.destroyed) message.destroy(error as Error); // cut, or too late: else it is told that by its socket
    } finally {
      this.#running = false;
    }
  }
}
