// LightRequest: a Request that makes the platform's own only where it is needed. That costs more than all the rest of a request.

import type { HttpRequest } from '../../app/index.ts';
import { bodyStream, mayHaveBody } from './request-body.ts';
import { copyHeaders, requestHeaders } from './request-headers.ts';
import { requestUrl } from './request-url.ts';
import { type Runtime, runtimeOf } from './served-request.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * What handlers mostly ask for it answers by itself: method, url, headers, signal, and a body that is read whole as text, JSON or
 * bytes. For all the rest see `completeLightRequest`.
 */
export class LightRequest {
  readonly #request: HttpRequest;
  readonly #origin: string;
  readonly #method: string;
  #url: string | undefined;
  #headers: Headers | undefined;
  #used = false; // the body, by itself
  #platform: Request | undefined;

  constructor(request: HttpRequest, method: string, origin: string) {
    this.#request = request;
    this.#method = method;
    this.#origin = origin;
  }

  /** The platform's Request where `value` is a light one, else `value`. */
  static unwrap(value: unknown): unknown {
    return typeof value === 'object' && value !== null && #request in value ? value.#whole() : value;
  }

  /** The platform's Request. Throws TypeError for what is no light one, as the platform's own members do. */
  static platformOf(light: LightRequest): Request {
    return light.#whole();
  }

  get method(): string {
    return this.#method;
  }

  get url(): string {
    return (this.#url ??= requestUrl(this.#origin, this.#request));
  }

  get headers(): Headers {
    return (this.#headers ??= this.#platform?.headers ?? requestHeaders(this.#request));
  }

  get signal(): AbortSignal {
    return this.#request.signal;
  }

  get body(): Request['body'] {
    return this.#hasBody ? this.#made().body : null;
  }

  get bodyUsed(): boolean {
    return this.#used || (this.#platform?.bodyUsed ?? false);
  }

  async text(): Promise<string> {
    return this.#platform === undefined ? decode(await this.#take()) : this.#platform.text();
  }

  async json(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return this.#platform === undefined ? new Uint8Array(await this.#take()).buffer : this.#platform.arrayBuffer();
  }

  get ip(): string | undefined {
    return this.#request.remoteAddress || undefined;
  }

  get runtime(): Runtime {
    return runtimeOf(this.#request);
  }

  waitUntil(work: PromiseLike<unknown>): void {
    this.#request.waitUntil(work);
  }

  get #hasBody(): boolean {
    return mayHaveBody(this.#method, this.#request);
  }

  async #take(): Promise<Buffer> {
    if (this.#used) throw new TypeError('Body is unusable: Body has already been read');
    if (!this.#hasBody) return NO_BYTES;
    this.#used = true;
    return this.#request.body.bytes(this.#request.maxStreamBytes);
  }

  /** The platform's own, with the header fields as the handler has left them. */
  #whole(): Request {
    const platform = this.#made();
    if (this.#headers !== undefined && this.#headers !== platform.headers) copyHeaders(this.#headers, platform.headers);
    return platform;
  }

  #made(): Request {
    if (this.#platform !== undefined) return this.#platform;
    const platform = platformRequest(this.#request, this.url, this.#method, this.#headers);
    if (this.#used) void platform.body?.getReader().cancel(); // as one whose body has been read
    return (this.#platform = platform);
  }
}

/** `headers`: those of `request` by default. */
export function platformRequest(request: HttpRequest, url: string, method: string, headers?: Headers): Request {
  return new Request(url, {
    method,
    headers: headers ?? requestHeaders(request),
    signal: request.signal,
    ...(mayHaveBody(method, request) && { body: bodyStream(request), duplex: 'half' }),
  });
}

/** UTF-8 decode (Encoding, 6): a byte order mark is not part of the text. */
function decode(bytes: Buffer): string {
  const text = bytes.toString();
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
