// accessLog(): one line for each request, when it is over.

import { isBodyless } from '../../cgi/index.ts';
import { request_finished, type Receiver, type RequestFinished } from '../../signals/index.ts';
import type { HttpRequest } from '../http-request.ts';
import type { HttpResponse, StreamBody } from '../http-response.ts';
import type { Middleware } from '../pipeline.ts';
import { sourceOf } from '../stream-source.ts';
import { combined, common, json, type AccessEntry, type AccessFormat } from './access-log-format.ts';
import { lineWriter } from './line-writer.ts';
import { withResponse } from './with-response.ts';

export interface AccessLogOptions {
  /** `common` or `combined` as of Apache, `json`, or a function that makes a line. Default combined. */
  format?: 'common' | 'combined' | 'json' | AccessFormat;
  /** Takes each line, without its end. Default: standard output, the lines of one turn of the event loop in one write. */
  write?: (line: string) => void;
}

const FORMATS: Readonly<Record<string, AccessFormat>> = { common, combined, json };
const GIVEN_UP = 499; // nginx's word for a client that has gone before the answer
const TIMED_OUT = 504; // as the server answers by itself at requestTimeout

/** A request that is not over. */
interface Open {
  readonly time: number;
  readonly begun: number;
  response: HttpResponse | undefined;
  /** When the answer, or its body, was complete. */
  ended: number | undefined;
  /** Bytes of a streamed body so far; undefined where none was begun. */
  streamed: number | undefined;
}

/**
 * Put it first, around all other layers. The line is written at request_finished, so there is exactly one for each request,
 * streamed, failed and aborted ones included. Control characters and quotes in it are escaped. Throws TypeError for a format
 * that is none.
 */
export function accessLog(options: AccessLogOptions = {}): Middleware {
  const { format = 'combined', write = lineWriter(process.stdout) } = options;
  const line = typeof format === 'function' ? format : FORMATS[format];
  if (line === undefined) throw new TypeError(`accessLog: the format ${String(format)} is not known`);
  const log = new OpenRequests(line, write);
  request_finished.connect(log.onFinished, { weak: true }); // while there is a layer that holds `log`
  return (request, next) => {
    const entry = log.begin(request);
    return withResponse(next(request), (response) => {
      entry.response = response;
      entry.ended = performance.now();
      if (typeof response.body === 'object' && !(response.body instanceof Uint8Array)) {
        response.body = counted(response.body, entry);
      }
    });
  };
}

class OpenRequests {
  /** The receiver of request_finished. */
  readonly onFinished: Receiver<RequestFinished>;
  readonly #entries: Map<unknown, Open> = new Map();

  constructor(line: AccessFormat, write: (line: string) => void) {
    this.onFinished = ({ request, error }) => {
      const entry = this.#entries.get(request);
      if (entry === undefined) return;
      this.#entries.delete(request);
      write(line(entryOf(request as HttpRequest, entry, error)));
    };
  }

  begin(request: HttpRequest): Open {
    const [time, begun] = [Date.now(), performance.now()];
    const entry: Open = { time, begun, response: undefined, ended: undefined, streamed: undefined };
    this.#entries.set(request, entry);
    return entry;
  }
}

/** The same stream; `entry` is told how much of it was taken, and when it ended. */
function counted(body: StreamBody, entry: Open): StreamBody {
  return {
    [Symbol.asyncIterator]() {
      const source = sourceOf(body);
      return {
        async next() {
          entry.streamed ??= 0;
          const step = await source.next();
          if (!step.done) entry.streamed += Buffer.byteLength(step.value);
          entry.ended = performance.now();
          return step;
        },
        return() {
          source.giveUp();
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
  };
}

function entryOf(request: HttpRequest, entry: Open, error: unknown): AccessEntry {
  const { requestId } = request.state;
  const { status, bytes } = outcomeOf(request, entry, error);
  return {
    time: new Date(entry.time),
    remoteAddress: request.remoteAddress,
    remoteUser: request.remoteUser,
    method: request.sentMethod,
    target: request.target,
    protocol: request.environ.get('SERVER_PROTOCOL') ?? 'HTTP/1.0',
    status,
    bytes,
    referer: request.header('Referer'),
    userAgent: request.header('User-Agent'),
    requestId: typeof requestId === 'string' ? requestId : undefined,
    duration: (entry.ended ?? performance.now()) - entry.begun,
  };
}

function outcomeOf(request: HttpRequest, entry: Open, error: unknown): { status: number; bytes: number } {
  const { response, streamed } = entry;
  if (response !== undefined && streamed !== undefined) return { status: response.status, bytes: streamed };
  if (response === undefined || request.aborted) return { status: isTimeout(error) ? TIMED_OUT : GIVEN_UP, bytes: 0 };
  if (error !== undefined) return { status: 500, bytes: 0 }; // the answer could not be begun; the application's has no length
  const { status, headers } = response;
  const hasBody = request.sentMethod !== 'HEAD' && !isBodyless(status);
  return { status, bytes: hasBody ? Number(headers.get('Content-Length') ?? 0) : 0 }; // as it was sent
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'TIMEOUT';
}
