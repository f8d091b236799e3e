// A request as its caller gives it, and as bytes that are ready to be sent.

import { Readable } from 'node:stream';

import {
  AUTHORIZER,
  DATA,
  FILTER,
  PARAMS,
  RESPONDER,
  STDIN,
  STREAM_RECORD_LENGTH,
  encodeBeginRequest,
  encodePairs,
  encodeStreamEnd,
  streamBuffers,
} from '../protocol/index.ts';
import { ClientError } from './client-error.ts';

/**
 * The bytes of STDIN or DATA. Text is sent as UTF-8. An iterable is asked for its next piece when there is room for it, and
 * told to return when no more is wanted; a Readable, which is one too, is then left to its owner, not destroyed.
 */
export type RequestBody = string | Uint8Array | AsyncIterable<Uint8Array | string>;

/** What to ask an application for. */
export interface ClientRequest {
  /** RESPONDER (the default), AUTHORIZER or FILTER. */
  role?: number;
  /** PARAMS: latin1 strings, one character for each byte. Nothing is added: CONTENT_LENGTH is the caller's to give. */
  params: Readonly<Record<string, string>> | Iterable<readonly [name: string, value: string]>;
  /** STDIN. Without it an empty one is sent; in the role AUTHORIZER none at all (6.3). */
  stdin?: RequestBody;
  /** DATA, the file of the role FILTER (6.4). */
  data?: RequestBody;
  /** Aborts the request: its promise or its body fails with `ABORTED`. */
  signal?: AbortSignal;
  /**
   * Whether the request may be sent a second time, on a fresh connection, where a used one closed before any answer.
   * Default: where REQUEST_METHOD is idempotent (RFC 9110, 9.2.2), or the request cannot have arrived. An iterable body
   * cannot be sent twice.
   */
  retry?: boolean;
}

export interface Upload {
  readonly type: number;
  readonly body: Buffer | AsyncIterable<Uint8Array | string>;
}

/** A request that is ready to be sent, under any id. */
export interface Message {
  readonly role: number;
  /** PARAMS: the content of each record. */
  readonly params: readonly Buffer[];
  readonly uploads: readonly Upload[];
  /** Whether a response's Content-Length tells the length of what follows: not after HEAD. */
  readonly isHead: boolean;
  /** Whether it may be sent a second time: `unsent` where the first has not arrived, `always` though it may have. */
  readonly retry: 'never' | 'unsent' | 'always';
}

const NOT_IDEMPOTENT: ReadonlySet<string> = new Set(['POST', 'PATCH', 'CONNECT', 'LOCK']);

// Bodies up to this length leave together with their request, in one write.
const SMALL = STREAM_RECORD_LENGTH;

/** Throws ClientError `BAD_REQUEST` for names and values that are not latin1. */
export function messageOf(request: ClientRequest): Message {
  const role = request.role ?? RESPONDER;
  const pairs = [...pairsOf(request.params)];
  const method = pairs.findLast(([name]) => name === 'REQUEST_METHOD')?.[1] ?? '';
  const uploads: Upload[] = [];
  if (request.stdin !== undefined || role !== AUTHORIZER) uploads.push(upload(STDIN, request.stdin));
  if (request.data !== undefined || role === FILTER) uploads.push(upload(DATA, request.data));
  const retry = (request.retry ?? !NOT_IDEMPOTENT.has(method)) ? 'always' : 'unsent';
  const repeatable = request.retry !== false && uploads.every(({ body }) => Buffer.isBuffer(body));
  return {
    role,
    params: encodeParams(pairs),
    uploads,
    isHead: method === 'HEAD',
    retry: repeatable ? retry : 'never',
  };
}

/**
 * What leaves first, in one write: BEGIN_REQUEST, PARAMS, and the bodies that are small. Returns also the bodies that have
 * to follow.
 */
export function openingOf(message: Message, id: number, keepConn: boolean): { buffers: Buffer[]; rest: Upload[] } {
  const buffers = [encodeBeginRequest(id, message.role, keepConn)];
  for (const content of message.params) buffers.push(...streamBuffers(PARAMS, id, content));
  buffers.push(encodeStreamEnd(PARAMS, id));
  let sent = 0;
  for (const { type, body } of message.uploads) {
    if (!Buffer.isBuffer(body) || body.length > SMALL) break;
    buffers.push(...streamBuffers(type, id, body), encodeStreamEnd(type, id));
    sent += 1;
  }
  return { buffers, rest: message.uploads.slice(sent) };
}

/** A body in pieces that are worth a wait for room each. */
export async function* piecesOf(body: Upload['body']): AsyncGenerator<Buffer, void, void> {
  if (Buffer.isBuffer(body)) {
    for (let at = 0; at < body.length; at += STREAM_RECORD_LENGTH) yield body.subarray(at, at + STREAM_RECORD_LENGTH);
    return;
  }
  const pieces = body instanceof Readable ? body.iterator({ destroyOnReturn: false }) : body;
  for await (const piece of pieces as AsyncIterable<Uint8Array | string>) yield bufferOf(piece);
}

function upload(type: number, body: RequestBody = ''): Upload {
  return { type, body: typeof body === 'string' || body instanceof Uint8Array ? bufferOf(body) : body };
}

function bufferOf(bytes: string | Uint8Array): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function* pairsOf(params: ClientRequest['params']): Generator<readonly [string, string]> {
  const pairs = Symbol.iterator in params ? (params as Iterable<readonly [string, string]>) : Object.entries(params);
  for (const pair of pairs) {
    const [name, value] = pair;
    if (/[^\0-\xff]/.test(name) || /[^\0-\xff]/.test(value)) {
      throw new ClientError(
        'BAD_REQUEST',
        `PARAMS ${JSON.stringify(name)}: not latin1; give bytes as Buffer.from(text).toString('latin1')`,
      );
    }
    yield pair;
  }
}

/** Records cut between pairs where that is possible: many applications cannot read a pair cut in two (App. B.2). */
function encodeParams(pairs: readonly (readonly [string, string])[]): Buffer[] {
  const whole = encodePairs(pairs);
  if (whole.length <= STREAM_RECORD_LENGTH) return [whole];
  const records: Buffer[] = [];
  let group: Buffer[] = [];
  let length = 0;
  for (const pair of pairs) {
    const encoded = encodePairs([pair]);
    if (length + encoded.length > STREAM_RECORD_LENGTH && length > 0) {
      records.push(Buffer.concat(group, length));
      group = [];
      length = 0;
    }
    group.push(encoded);
    length += encoded.length;
  }
  records.push(Buffer.concat(group, length));
  return records;
}
