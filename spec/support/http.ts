// An HTTP client for specs: one connection for each request, nothing normalized, and cut answers are answers too.

import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';

export interface HttpSent {
  method?: string;
  /** Sent as it stands: latin1, a byte a character. Default `/`. */
  path?: string;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  body?: string | Uint8Array;
  /** Send the body in pieces without saying its length before. */
  chunked?: boolean;
}

export interface HttpAnswer {
  status: number;
  /** By lower-case name; repeated ones joined by `, `, Set-Cookie a list. */
  headers: IncomingMessage['headers'];
  body: Buffer;
  /** Whether the answer ended as HTTP says that it should. */
  complete: boolean;
}

/** An answer whose body has not been read. */
export interface HttpBeginning {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The next piece as text; undefined at the end, or where the answer breaks off. */
  piece(): Promise<string | undefined>;
  /** Whether the answer has ended as HTTP says that it should. */
  readonly complete: boolean;
  /** Go away. */
  abort(): void;
}

/** Send a request and read the whole answer. Rejects where there is none. */
export async function send(port: number, sent: HttpSent | string = {}): Promise<HttpAnswer> {
  const response = await headOf(open(port, sent), sent);
  const pieces: Buffer[] = [];
  const complete = await new Promise<boolean>((resolve) => {
    response.on('data', (piece: Buffer) => pieces.push(piece));
    response.on('error', () => resolve(false)); // cut
    response.on('close', () => resolve(response.complete));
  });
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces), complete };
}

/** Send a request and read the answer as JSON. Rejects where it is none. */
export async function sendForJson<T>(port: number, sent: HttpSent | string = {}): Promise<T> {
  const { status, body } = await send(port, sent);
  if (status !== 200) throw new Error(`status ${status}: ${body.toString()}`);
  return JSON.parse(body.toString()) as T;
}

/** Send a request and wait for the head of its answer. */
export async function begin(port: number, sent: HttpSent | string = {}): Promise<HttpBeginning> {
  const request = open(port, sent);
  const response = await headOf(request, sent);
  const iterator = response[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    piece: async () => (await iterator.next().catch(() => undefined))?.value?.toString(),
    get complete() {
      return response.complete;
    },
    abort: () => request.destroy(),
  };
}

/** A request whose body, and end, is up to the spec. */
export function open(port: number, sent: HttpSent | string = {}): ClientRequest {
  const {
    method = 'GET',
    path = '/',
    headers = {},
    body,
    chunked = false,
  } = typeof sent === 'string' ? { path: sent } : sent;
  const length = body === undefined || chunked ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const request = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path,
    agent: false,
    headers: { ...length, ...(headers as Record<string, string>), ...(chunked && { 'Transfer-Encoding': 'chunked' }) },
  });
  request.on('error', () => {}); // told to those who wait for an answer
  return request;
}

/** Send the body and wait for the head of the answer. */
function headOf(request: ClientRequest, sent: HttpSent | string): Promise<IncomingMessage> {
  const { body, chunked } = typeof sent === 'string' ? {} : sent;
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    if (body !== undefined && chunked) {
      const half = Math.floor(body.length / 2);
      request.write(body.slice(0, half));
      request.end(body.slice(half));
    } else request.end(body);
  });
}

/** The answer to a request that the spec writes by itself, which may not have ended yet. Rejects where there is none. */
export async function answerTo(request: ClientRequest): Promise<{ status: number; text: string }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  let text = '';
  for await (const piece of response.setEncoding('utf8')) text += piece as string;
  return { status: response.statusCode ?? 0, text };
}
