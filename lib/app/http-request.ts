// HttpRequest: one HTTP request as a handler sees it. Everything is read from the CGI variables when it is asked for.

import { parse as parseCookies } from 'cookie';
import {
  pathBelow,
  queryString,
  requestHeader,
  requestHeaders,
  requestHost,
  requestMethod,
  requestScheme,
  requestTarget,
  targetPath,
  type MetaVariables,
} from '../cgi/index.ts';
import type { InputStream, Request } from '../server/index.ts';
import { BackgroundWork } from './background-work.ts';
import {
  decodeText,
  limitInput,
  parseForm,
  parseJson,
  parseMultipart,
  replayInput,
  requireForm,
  requireJson,
  type FormLimits,
  type MultipartForm,
  type MultipartLimits,
} from './forms/index.ts';
import { HttpError } from './http-error.ts';

/** Values of a route's parameters, percent-decoded: `/users/:id` gives `{ id: '7' }`. */
export type RouteParams = Readonly<Record<string, string | undefined>>;

/** Variables as the web server sent them: latin1 strings, a byte a character; iterating gives repeated ones too. */
export type Environ = MetaVariables;

const NO_PARAMS: RouteParams = Object.freeze(Object.create(null) as Record<string, undefined>);
const DEFAULT_MAX_BODY = 1024 * 1024;

export class HttpRequest {
  /** The route's parameters. */
  params: RouteParams = NO_PARAMS;
  /** The most bytes that `bytes`, `text`, `json` and `form` read. Default 1 MiB; the bodyLimit middleware sets it. */
  maxBodyBytes: number = DEFAULT_MAX_BODY;
  /** The most bytes that `body` and `multipart` give. Default: no bound; the bodyLimit middleware sets it. */
  maxStreamBytes: number = Infinity;
  /** What has failed for it outside of its handler. For the application. */
  failure: { readonly error: unknown } | undefined;
  /** The application that was asked, whatever sub-application answers: the `sender` of the request's signals. */
  readonly application: object;
  readonly #incoming: Request;
  #sentMethod: string | undefined;
  #method: string | undefined;
  #target: string | undefined;
  #mount: string;
  #path: string | undefined;
  #query: URLSearchParams | undefined;
  #headers: Map<string, string> | undefined;
  #cookies: Readonly<Record<string, string | undefined>> | undefined;
  #bytes: Promise<Buffer> | undefined;
  #body: InputStream | undefined;
  #controller: AbortController | undefined;
  #cancelled: { reason: unknown } | undefined;
  #onCancel: ((reason: unknown) => void)[] | undefined;
  #state: Record<string, unknown> | undefined;
  #background: BackgroundWork | undefined;

  /** `mount`: the path the application is mounted at, '' for the root. */
  constructor(incoming: Request, mount: string, application: object) {
    this.application = application;
    this.#incoming = incoming;
    this.#mount = mount;
  }

  /** The method in upper case, as the client sent it unless middleware has overridden it. */
  get method(): string {
    return this.#method ?? this.sentMethod;
  }

  /** The method that the client sent: by it the client knows whether a body will come. */
  get sentMethod(): string {
    return (this.#sentMethod ??= requestMethod(this.#incoming.params));
  }

  /** For middleware that overrides it. */
  set method(method: string) {
    this.#method = method;
  }

  /** Path and query as the client sent them, percent-encoded, the mount included: `/app/a%20b?c=d`. */
  get target(): string {
    return (this.#target ??= requestTarget(this.#incoming.params));
  }

  /** Whether the path lies outside of the mount: the web server sent what is not the application's. */
  get outside(): boolean {
    return this.#mount !== '' && pathBelow(targetPath(this.target), this.#mount) === undefined;
  }

  /** The path below the mount, percent-encoded where need be, beginning with `/`. Outside of the mount: the whole path. */
  get path(): string {
    if (this.#path === undefined) {
      const path = targetPath(this.target);
      this.#path = pathBelow(path, this.#mount) ?? path;
    }
    return this.#path;
  }

  /** The path that the application, and the sub-application this is in, is mounted at; '' for the root. */
  get mount(): string {
    return this.#mount;
  }

  /** The query's parameters. */
  get query(): URLSearchParams {
    if (this.#query === undefined) {
      const query = queryString(this.#incoming.params, this.target);
      this.#query = new URLSearchParams(`?${latin1ToUtf8(query)}`); // it takes one ? off, which may be the query's own
    }
    return this.#query;
  }

  /** `http` or `https`, as the web server says. */
  get scheme(): 'http' | 'https' {
    return requestScheme(this.#incoming.params);
  }

  /** The host the client asked for, with its port where it is not the scheme's usual one. It is the client's word. */
  get host(): string {
    return requestHost(this.#incoming.params);
  }

  /** The whole URL. Throws HttpError 400 where the host is not one. */
  get url(): URL {
    const host = this.host || 'localhost';
    const text = `${this.scheme}://${host}${this.target}`;
    if (/[\s/?#@\\]/.test(host) || !URL.canParse(text)) throw new HttpError(400, 'the Host header is not a host');
    return new URL(text);
  }

  /** The address of the web server's client, REMOTE_ADDR; '' where the web server does not say. */
  get remoteAddress(): string {
    return this.#incoming.params.get('REMOTE_ADDR') ?? '';
  }

  /**
   * The user's name as the web server says, REMOTE_USER. Only where the web server is configured to authenticate has it
   * checked the password: nginx and HAProxy otherwise copy the name from whatever Authorization header came.
   */
  get remoteUser(): string | undefined {
    return this.#incoming.params.get('REMOTE_USER') || undefined;
  }

  /** One header field by its name in any case; repeated ones joined by `, `. */
  header(name: string): string | undefined {
    return requestHeader(this.#incoming.params, name);
  }

  /** All header fields by lower-case name. */
  get headers(): ReadonlyMap<string, string> {
    return (this.#headers ??= requestHeaders(this.#incoming.params));
  }

  /** The cookies by name. */
  get cookies(): Readonly<Record<string, string | undefined>> {
    return (this.#cookies ??= parseCookies(this.header('Cookie') ?? ''));
  }

  /** What the web server sent: CGI meta-variables. Values are latin1, a byte a character. */
  get environ(): Environ {
    return this.#incoming.params;
  }

  /** The FastCGI role the request came in: 1 responder, 2 authorizer, 3 filter. */
  get role(): number {
    return this.#incoming.role;
  }

  /** Aborts when the client, the web server or the server gives the request up, or a layer has called `cancel`. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = (this.#controller = new AbortController());
      const { signal } = this.#incoming;
      if (this.#cancelled !== undefined) controller.abort(this.#cancelled.reason);
      else if (signal.aborted) controller.abort(signal.reason);
      else signal.addEventListener('abort', () => controller.abort(signal.reason), { once: true });
    }
    return this.#controller.signal;
  }

  /** Call it when `signal` aborts, or now if it has, without making one. */
  onCancel(listener: (reason: unknown) => void): void {
    if (this.#cancelled !== undefined) return listener(this.#cancelled.reason);
    if (this.aborted) return this.#incoming.onAbort(listener);
    if (this.#onCancel === undefined) this.#incoming.onAbort((reason) => this.#tellCancelled(reason));
    (this.#onCancel ??= []).push(listener);
  }

  /** Each is told once. */
  #tellCancelled(reason: unknown): void {
    for (const listener of this.#onCancel?.splice(0) ?? []) listener(reason);
  }

  /** Abort `signal` for those within, whose answer is not waited for any longer. For middleware such as timeout. */
  cancel(reason: unknown): void {
    this.#cancelled ??= { reason };
    this.#controller?.abort(reason);
    this.#tellCancelled(reason);
  }

  /** Whether `signal` has aborted, without making one. */
  get cancelled(): boolean {
    return this.#cancelled !== undefined || this.aborted;
  }

  /** Whether nobody waits for the answer: the client, the web server or the server has given the request up. */
  get aborted(): boolean {
    return this.#incoming.aborted;
  }

  /** A place for middleware to leave things for those within: `request.state.user = ...`. */
  get state(): Record<string, unknown> {
    return (this.#state ??= Object.create(null) as Record<string, unknown>);
  }

  /** CONTENT_LENGTH in bytes; undefined where it is not known. */
  get contentLength(): number | undefined {
    return this.#incoming.contentLength;
  }

  /**
   * The body piece by piece, up to `maxStreamBytes`. It can be read once; what `bytes` and those that use it have read
   * comes again.
   */
  get body(): InputStream {
    if (this.#body !== undefined) return this.#body;
    if (this.#bytes === undefined && this.maxStreamBytes === Infinity) return this.#incoming.stdin;
    const input = this.#bytes === undefined ? this.#incoming.stdin : replayInput(this.#bytes);
    return (this.#body = limitInput(input, this.maxStreamBytes));
  }

  /** The DATA stream of a request to a filter. */
  get data(): InputStream {
    return this.#incoming.data;
  }

  /**
   * The body. Asked for again it is the same. Rejects with RequestError `BODY_TOO_LARGE` over `maxBodyBytes`,
   * `BODY_TRUNCATED`, `BODY_TIMEOUT` or `ABORTED` where it does not come whole; left alone these become the answers 413,
   * 400, 408 and none.
   */
  bytes(): Promise<Buffer> {
    return (this.#bytes ??= this.#incoming.stdin.bytes(this.maxBodyBytes));
  }

  /** The body as UTF-8 text; other charsets that the platform knows are decoded by the Content-Type's word. */
  async text(): Promise<string> {
    return decodeText(await this.bytes(), this.header('Content-Type'));
  }

  /** The body as JSON. Rejects with HttpError 400 where it is none, 415 for another Content-Type. */
  async json(): Promise<unknown> {
    requireJson(this.header('Content-Type'));
    return parseJson(await this.text());
  }

  /** The fields of a form that was sent URL-encoded. Rejects with HttpError 415 for another Content-Type. */
  async form(limits?: FormLimits): Promise<URLSearchParams> {
    requireForm(this.header('Content-Type'));
    return parseForm(await this.text(), limits);
  }

  /** Fields and files of a multipart form, files as streams in their order. Rejects with HttpError 400, 413 or 415. */
  multipart(limits?: MultipartLimits): MultipartForm {
    return parseMultipart(this.header('Content-Type'), this.body, this.maxBodyBytes, limits);
  }

  /**
   * Work after the response: the answer is sent, and `request_finished` waits for the promise, so that database
   * connections live as long as the work. A rejection is reported as got_request_exception.
   */
  waitUntil(work: PromiseLike<unknown>): void {
    (this.#background ??= new BackgroundWork()).add(work);
  }

  /** What `waitUntil` was given. For the application. */
  get background(): BackgroundWork | undefined {
    return this.#background;
  }

  /** Go below a mount for the time of a sub-application; returns the way back. For the application. */
  enter(prefix: string): () => void {
    const mount = this.#mount;
    const path = this.path;
    this.#mount = mount + prefix;
    this.#path = pathBelow(path, prefix) ?? path;
    return () => {
      this.#mount = mount;
      this.#path = path;
    };
  }
}

function latin1ToUtf8(text: string): string {
  return /[\x80-\xff]/.test(text) ? Buffer.from(text, 'latin1').toString() : text;
}
