// HttpResponse: what a handler answers. A light object; a web-standard Response costs several times the whole request.

import { serialize, type SerializeOptions } from 'cookie';
import { HttpHeaders, type HeadersInit } from './http-headers.ts';

/** A body that comes in pieces: any async iterable, a Node stream, a web-standard ReadableStream. */
export type StreamBody = AsyncIterable<string | Uint8Array>;

/** `undefined`: no body. Text is sent as UTF-8. */
export type Body = string | Uint8Array | StreamBody | undefined;

export interface ResponseInit {
  /** 200 to 599. Default 200. */
  status?: number;
  headers?: HeadersInit;
}

// What RFC 3986 does not have, and a % that begins no escape. Brackets stay, for IPv6 hosts.
const NOT_IN_A_URL = /[^!#-;=?-[\]_a-z~]|%(?![0-9A-Fa-f]{2})/gu;

/** Options of a cookie, as in RFC 6265: `maxAge` in seconds, `httpOnly`, `secure`, `sameSite`, `path`, `domain`, `expires`. */
export type CookieOptions = SerializeOptions;

export class HttpResponse {
  status: number;
  readonly headers: HttpHeaders;
  body: Body;
  /** The error this response was made of, where it was: for middleware that logs it or shows it. */
  error: unknown;
  /** Whether that error was nobody's intention: a 500, told to got_request_exception and the web server's error log. */
  unexpected = false;
  /** Whether a body that comes without a Content-Type is given one. */
  typed = true;

  constructor(body?: Body, init: ResponseInit = {}) {
    this.status = init.status ?? 200;
    this.headers = new HttpHeaders(init.headers);
    this.body = body;
  }

  /** Plain text. */
  static text(text: string, init?: ResponseInit): HttpResponse {
    return typed(new HttpResponse(text, init), 'text/plain; charset=utf-8');
  }

  /** A page. Escape what comes from outside: `escapeHtml`. */
  static html(html: string, init?: ResponseInit): HttpResponse {
    return typed(new HttpResponse(html, init), 'text/html; charset=utf-8');
  }

  /** JSON. Throws TypeError for what JSON cannot say. */
  static json(value: unknown, init?: ResponseInit): HttpResponse {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError('HttpResponse.json: the value has no JSON form');
    return typed(new HttpResponse(text, init), 'application/json');
  }

  /**
   * A redirect, 302 by default. `location` is a URL or an absolute path; characters that a URL may not have are
   * percent-encoded. Check where it leads when it comes from outside.
   */
  static redirect(location: string, init: ResponseInit = {}): HttpResponse {
    const response = new HttpResponse(undefined, { status: 302, ...init });
    response.headers.set('Location', location.replaceAll(NOT_IN_A_URL, encodeURIComponent));
    return response;
  }

  /** A body in pieces, sent as fast as the client takes it. With a Content-Length header the client sees a cut body. */
  static stream(body: StreamBody, init?: ResponseInit): HttpResponse {
    return typed(new HttpResponse(body, init), 'application/octet-stream');
  }

  /** Nothing: 204. */
  static empty(init: ResponseInit = {}): HttpResponse {
    return new HttpResponse(undefined, { status: 204, ...init });
  }

  /** Add a Set-Cookie header. Default path `/`. Throws TypeError for a name or value that no cookie may have. */
  setCookie(name: string, value: string, options: CookieOptions = {}): this {
    this.headers.append('Set-Cookie', serialize(name, value, { path: '/', ...options }));
    return this;
  }

  /** Have the client forget a cookie; `path` and `domain` must be those it was set with. */
  clearCookie(name: string, options: CookieOptions = {}): this {
    return this.setCookie(name, '', { ...options, maxAge: 0, expires: new Date(0) });
  }
}

/** The characters that mean something in HTML, as references: for text between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

function typed(response: HttpResponse, type: string): HttpResponse {
  const { fields } = response.headers;
  if (fields.length === 0) fields.push('Content-Type', type);
  else if (!response.headers.has('Content-Type')) fields.unshift('Content-Type', type);
  return response;
}
