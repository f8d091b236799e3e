// Application: the pipeline of one FastCGI application, its routes, and its request signals.

import type { Handler, Request, Response as Outgoing } from '../server/index.ts';
import {
  currentRequest,
  got_request_exception,
  request_finished,
  request_started,
  runInRequest,
} from '../signals/index.ts';
import { errorResponse } from './error-response.ts';
import { HttpError } from './http-error.ts';
import { HttpRequest } from './http-request.ts';
import { messageOf } from './message-of.ts';
import type { Body, HttpResponse } from './http-response.ts';
import { inject, type InjectedRequest, type InjectedResponse } from './inject.ts';
import { mountPath, Mounts, oneOfOurs } from './mounts.ts';
import { compose, type AppHandler, type Middleware, type Next } from './pipeline.ts';
import { Router } from './router.ts';
import { sendResponse } from './send-response.ts';
import { discard } from './stream-source.ts';

export interface ApplicationOptions {
  /** The path the web server hands to the application, such as `/app`; requests outside of it are 404. Default: the root. */
  mount?: string;
  /** Bytes of an answer's head; a larger one becomes a 500. Web servers answer 502 for more than they take. Default 8192. */
  maxHeadBytes?: number;
}

const AUTHORIZER = 2;
const FILTER = 3;
const DEFAULT_MAX_HEAD = 8192;

export class Application {
  #mount: string;
  readonly #maxHeadBytes: number;
  readonly #layers: Middleware[] = [];
  readonly #router: Router = new Router();
  readonly #mounts: Mounts = new Mounts();
  readonly #active: Map<HttpRequest, Outgoing> = new Map();
  #authorizer: AppHandler | undefined;
  #filter: AppHandler | undefined;
  #fallback: AppHandler | undefined;
  #pipeline: Next | undefined;

  /** Throws TypeError for a mount that is no path. */
  constructor(options: ApplicationOptions = {}) {
    this.#mount = mountPath(options.mount ?? '');
    this.#maxHeadBytes = options.maxHeadBytes ?? DEFAULT_MAX_HEAD;
  }

  /** Add a layer inside of those that are there. Throws TypeError for what is not a function. */
  use(middleware: Middleware): this {
    this.#layers.push(layerOf('use', middleware));
    this.#pipeline = undefined;
    return this;
  }

  /** Add a layer outside of those that are there, for who serves an application. Throws TypeError for what is not a function. */
  wrap(middleware: Middleware): this {
    this.#layers.unshift(layerOf('wrap', middleware));
    this.#pipeline = undefined;
    return this;
  }

  /** A handler for a method and a pattern: `/users/:id`, `/files/*`. Throws where the two have one already. */
  route(method: string, pattern: string, handler: AppHandler): this {
    if (typeof handler !== 'function') throw new TypeError(`${method} ${pattern}: a handler is a function (request)`);
    this.#router.on(method.toUpperCase(), pattern, handler);
    return this;
  }

  get(pattern: string, handler: AppHandler): this {
    return this.route('GET', pattern, handler);
  }

  post(pattern: string, handler: AppHandler): this {
    return this.route('POST', pattern, handler);
  }

  put(pattern: string, handler: AppHandler): this {
    return this.route('PUT', pattern, handler);
  }

  patch(pattern: string, handler: AppHandler): this {
    return this.route('PATCH', pattern, handler);
  }

  delete(pattern: string, handler: AppHandler): this {
    return this.route('DELETE', pattern, handler);
  }

  /**
   * Give everything below a path to another application, whose layers run inside of this one's, or to a handler. Signals are this
   * one's. What others wrote is made a handler by `adapt`.
   */
  mount(prefix: string, application: Application | AppHandler): this {
    const inner = application instanceof Application ? application : new Application().fallback(oneOfOurs(application));
    this.#mounts.add(prefix, (request) => inner.#inner(request));
    return this;
  }

  /** Answer what no route of this application has a path for. Without it that is a 404. */
  fallback(handler: AppHandler): this {
    this.#fallback = handler;
    return this;
  }

  /** Set the path the web server hands to the application. */
  mountAt(path: string): this {
    this.#mount = mountPath(path);
    return this;
  }

  /** Answer requests in the Authorizer role (6.3): status 200 lets the web server go on. The layers run around it. */
  authorize(handler: AppHandler): this {
    this.#authorizer = handler;
    return this;
  }

  /** Answer requests in the Filter role (6.4): the file is `request.data`. The layers run around it. */
  filter(handler: AppHandler): this {
    this.#filter = handler;
    return this;
  }

  /** The application as FastCGI handlers by role, for a Server. */
  handlers(): { responder: Handler; authorizer?: Handler; filter?: Handler } {
    const handler: Handler = (incoming, outgoing) => this.handle(incoming, outgoing);
    return {
      responder: handler,
      ...(this.#authorizer && { authorizer: handler }),
      ...(this.#filter && { filter: handler }),
    };
  }

  /** Run one request without a socket, as a web server would send it. For tests. */
  inject(request: InjectedRequest | string): Promise<InjectedResponse> {
    return inject((incoming, outgoing) => this.handle(incoming, outgoing), request);
  }

  /** Requests whose request_started was sent and whose request_finished was not. */
  get active(): number {
    return this.#active.size;
  }

  /**
   * Send request_finished for requests that are still running, or whose `waitUntil` work is: for a worker that stops and
   * does not wait for them longer.
   */
  async finishAll(error: unknown): Promise<void> {
    await Promise.all(
      [...this.#active.keys()].map(async (request) => {
        await this.#sendFinished(request, error);
      }),
    );
  }

  /**
   * For who serves an application: an error that nobody has caught, as in a timer's callback. Called where Node tells of it, it
   * ends the request that this happened for, whatever its handler does: got_request_exception, and a 500, or the cut of an
   * answer that has begun. False where it is not known which one that is (see followRequests), or where it has its answer.
   */
  fail(error: unknown): boolean {
    const request = currentRequest() as HttpRequest | undefined;
    const outgoing = request && this.#active.get(request);
    if (request === undefined || outgoing === undefined || outgoing.over) return false;
    void this.#endFailed(error, request, outgoing);
    return true;
  }

  /** A handler that heeds the request's signal has a turn of the event loop to fail by it: then the layers see the error. */
  async #endFailed(error: unknown, request: HttpRequest, outgoing: Outgoing): Promise<void> {
    request.failure = { error };
    await got_request_exception.notify(this, { request, error });
    request.cancel(error);
    await new Promise((resolve) => setImmediate(resolve));
    if (outgoing.over) return;
    outgoing.stderr(`${request.method} ${request.target}: ${messageOf(error)}`);
    if (outgoing.started) outgoing.cut();
    else void sendResponse(errorResponse(new Error()), request.sentMethod, request, outgoing, DEFAULT_MAX_HEAD);
    await this.#finish(request, error);
  }

  /**
   * One request: request_started, the pipeline, the answer, request_finished. Never throws and never rejects. Returns a
   * promise only where something had to be waited for.
   */
  handle(incoming: Request, outgoing: Outgoing): void | Promise<void> {
    const request = new HttpRequest(incoming, this.#mount, this);
    this.#active.set(request, outgoing);
    return runInRequest(request, () => this.#begin(request, incoming, outgoing));
  }

  #begin(request: HttpRequest, incoming: Request, outgoing: Outgoing): void | Promise<void> {
    const started = request_started.notify(this, { request });
    if (started === undefined) return this.#answer(request, incoming, outgoing);
    return started.then(() => {
      // finishAll may not have waited: what has finished must not begin.
      if (this.#active.has(request)) return this.#answer(request, incoming, outgoing);
      return undefined;
    });
  }

  #answer(request: HttpRequest, incoming: Request, outgoing: Outgoing): void | Promise<void> {
    const response = this.#inner(request);
    if (!(response instanceof Promise)) return this.#send(response, request, incoming, outgoing);
    return response.then(
      (settled) => this.#send(settled, request, incoming, outgoing),
      (error: unknown) => this.#sendFailed(error, undefined, request, incoming, outgoing),
    );
  }

  #send(response: HttpResponse, request: HttpRequest, incoming: Request, outgoing: Outgoing): void | Promise<void> {
    let sending: undefined | Promise<unknown>;
    if (response.unexpected) outgoing.stderr(`${request.method} ${request.target}: ${messageOf(response.error)}`);
    try {
      sending = sendResponse(response, request.sentMethod, incoming, outgoing, this.#maxHeadBytes);
    } catch (error) {
      return this.#sendFailed(error, response.body, request, incoming, outgoing);
    }
    if (sending !== undefined) return sending.then((error) => this.#streamed(request, error));
    return this.#finish(request, undefined);
  }

  /** The answer could not be begun: its head is too large, its status, length or body is none, or the pipeline failed. */
  async #sendFailed(
    error: unknown,
    body: Body,
    request: HttpRequest,
    incoming: Request,
    outgoing: Outgoing,
  ): Promise<void> {
    discard(body);
    await got_request_exception.notify(this, { request, error });
    outgoing.stderr(`${request.method} ${request.target}: the answer cannot be sent: ${messageOf(error)}`);
    void sendResponse(errorResponse(new Error()), request.sentMethod, incoming, outgoing, DEFAULT_MAX_HEAD);
    await this.#finish(request, error);
  }

  /** A body has been sent, or has broken off: no layer is left to tell of its error. */
  async #streamed(request: HttpRequest, error: unknown): Promise<void> {
    if (error !== undefined && !request.aborted && !isTold(request, error)) {
      await got_request_exception.notify(this, { request, error });
    }
    await this.#finish(request, error);
  }

  #finish(request: HttpRequest, error: unknown): void | Promise<void> {
    if (request.background !== undefined) return this.#finishLater(request, error);
    return this.#sendFinished(request, error);
  }

  async #finishLater(request: HttpRequest, error: unknown): Promise<void> {
    for (const failed of (await request.background?.settled()) ?? []) {
      await got_request_exception.notify(this, { request, error: failed });
    }
    await this.#sendFinished(request, error);
  }

  /** Once for each request, whoever comes first. */
  #sendFinished(request: HttpRequest, error: unknown): void | Promise<void> {
    if (!this.#active.delete(request)) return undefined;
    const reason: unknown = error === undefined && request.aborted ? request.signal.reason : error;
    return request_finished.notify(this, { request, error: reason });
  }

  /** The pipeline with all layers, made when it is first needed. */
  #inner(request: HttpRequest): HttpResponse | Promise<HttpResponse> {
    this.#pipeline ??= compose(
      this.#layers,
      (inner) => this.#route(inner),
      (failed, error) => this.#convert(failed, error),
    );
    return this.#pipeline(request);
  }

  #route(request: HttpRequest): ReturnType<AppHandler> {
    if (request.role === AUTHORIZER && this.#authorizer !== undefined) return this.#authorizer(request);
    if (request.role === FILTER && this.#filter !== undefined) return this.#filter(request);
    if (this.#mount !== '' && request.outside) throw new HttpError(404);
    return this.#mounts.route(request) ?? this.#router.route(request, this.#fallback);
  }

  /** An error as the layer outside of it sees it: the response it asks for, or a 500 that is told to the signal. */
  async #convert(request: HttpRequest, error: unknown): Promise<HttpResponse> {
    const response = errorResponse(error);
    if (request.cancelled && isAbortError(error)) response.unexpected = false;
    if (response.unexpected && !isTold(request, error)) {
      await got_request_exception.notify(request.application, { request, error });
    }
    return response;
  }
}

function layerOf(name: string, middleware: Middleware): Middleware {
  if (typeof middleware !== 'function') throw new TypeError(`${name}: a middleware is a function (request, next)`);
  return middleware;
}

/** Whether got_request_exception was sent for it, see `fail`. */
function isTold({ failure }: HttpRequest, error: unknown): boolean {
  return failure !== undefined && failure.error === error;
}

/** What fetch, timers, streams and the statements of a database throw that were given `request.signal`. */
function isAbortError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  return ('name' in error && error.name === 'AbortError') || ('code' in error && error.code === 'ABORTED');
}
