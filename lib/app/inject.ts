// inject(): one request through an application without a socket, as a web server would send it.

import { parseResponseHead, type MetaVariables, type ResponseHead } from '../cgi/index.ts';
import type { Handler, InputStream, Request, Response as Outgoing } from '../server/index.ts';

/** A request to inject; a string is the target of a GET. */
export interface InjectedRequest {
  /** Default GET. */
  method?: string;
  /** Path and query, percent-encoded. Default `/`. */
  target?: string;
  headers?: Readonly<Record<string, string>>;
  /** CONTENT_LENGTH is set where the body's length is known. */
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Further CGI variables, or others than those made of the above. */
  environ?: Readonly<Record<string, string>>;
  /** 1 responder (default), 2 authorizer, 3 filter. */
  role?: number;
  /** The DATA stream, for a filter. */
  data?: string | Uint8Array;
  /** Aborts the request as a web server would. */
  signal?: AbortSignal;
}

/** The answer, and what the request left in the web server's error log. */
export interface InjectedResponse {
  status: number;
  /** Names as sent, in order. */
  headers: [name: string, value: string][];
  /** The first value of a header, by its name in any case. */
  header(name: string): string | undefined;
  body: Buffer;
  text(): string;
  json(): unknown;
  stderr: string;
  /** Whether the body broke off before its end. */
  cut: boolean;
}

/** Resolves when the handler has ended. Rejects with TypeError where it gave no answer (an aborted request has none). */
export async function inject(handler: Handler, request: InjectedRequest | string): Promise<InjectedResponse> {
  const asked = typeof request === 'string' ? { target: request } : request;
  const response = new CollectedResponse(asked.signal);
  await handler(incomingOf(asked), response);
  return response.collected();
}

class CollectedResponse implements Outgoing {
  started = false;
  #over = false;
  #cut = false;
  #head = '';
  #stderr = '';
  readonly #pieces: Buffer[] = [];
  readonly #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  get over(): boolean {
    return this.#over || (this.#signal?.aborted ?? false);
  }

  send(head: string, body: string | Uint8Array): void {
    this.start(head);
    this.write(body);
    this.end();
  }

  start(head: string): void {
    if (this.over) return;
    this.started = true;
    this.#head = head;
  }

  write(piece: string | Uint8Array): boolean {
    if (!this.over) this.#pieces.push(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : Buffer.from(piece));
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  end(): void {
    this.#over = true;
  }

  stderr(message: string): void {
    this.#stderr += message;
  }

  cut(): void {
    this.#over = true;
    this.#cut = true;
  }

  collected(): InjectedResponse {
    if (!this.started) throw new TypeError('inject: the request was given no answer');
    const { status, headers }: ResponseHead = parseResponseHead(this.#head);
    const body = Buffer.concat(this.#pieces);
    return {
      status,
      headers,
      header: (name) => headers.find(([other]) => other.toLowerCase() === name.toLowerCase())?.[1],
      body,
      text: () => body.toString(),
      json: () => JSON.parse(body.toString()) as unknown,
      stderr: this.#stderr,
      cut: this.#cut,
    };
  }
}

function incomingOf(asked: InjectedRequest): Request {
  const { body } = asked;
  let { signal } = asked;
  const length =
    typeof body === 'string' ? Buffer.byteLength(body) : body instanceof Uint8Array ? body.length : undefined;
  return {
    id: 1,
    role: asked.role ?? 1,
    params: variables({ ...environOf(asked, length), ...asked.environ }),
    contentLength: length ?? (body === undefined ? 0 : undefined),
    stdin: inputOf(body),
    data: inputOf(asked.data),
    get aborted() {
      return signal?.aborted ?? false;
    },
    get signal() {
      return (signal ??= new AbortController().signal);
    },
    onAbort(listener) {
      if (signal?.aborted === true) listener(signal.reason as Error);
      else signal?.addEventListener('abort', () => listener(signal?.reason as Error), { once: true });
    },
  };
}

function environOf(asked: InjectedRequest, length: number | undefined): Record<string, string> {
  const target = asked.target ?? '/';
  const environ: Record<string, string> = {
    GATEWAY_INTERFACE: 'CGI/1.1',
    SERVER_PROTOCOL: 'HTTP/1.1',
    SERVER_NAME: 'localhost',
    SERVER_PORT: '80',
    REMOTE_ADDR: '127.0.0.1',
    REQUEST_METHOD: asked.method ?? 'GET',
    REQUEST_URI: target,
    QUERY_STRING: target.split('?').slice(1).join('?'),
    HTTP_HOST: 'localhost',
  };
  if (length !== undefined) environ['CONTENT_LENGTH'] = String(length);
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    const variable = name.toUpperCase().replaceAll('-', '_');
    environ[variable === 'CONTENT_TYPE' || variable === 'CONTENT_LENGTH' ? variable : `HTTP_${variable}`] = value;
  }
  return environ;
}

function variables(environ: Record<string, string>): MetaVariables {
  const map = new Map(Object.entries(environ));
  return {
    get: (name: string) => map.get(name),
    has: (name: string) => map.has(name),
    each: (initials, visit) => {
      for (const [name, value] of map) if (initials === '' || initials.includes(name.charAt(0))) visit(name, value);
    },
    [Symbol.iterator]: () => map[Symbol.iterator](),
  };
}

/** A body as STDIN: what is there, then the end. */
function inputOf(body: InjectedRequest['body']): InputStream {
  const iterator = pieces(body);
  const read = async (): Promise<Buffer | undefined> => {
    const step = await iterator.next();
    return step.done ? undefined : step.value;
  };
  return {
    read,
    bytes: async (maxBytes) => {
      const all: Buffer[] = [];
      let length = 0;
      for (let piece = await read(); piece !== undefined; piece = await read()) {
        length += piece.length;
        if (length > maxBytes) {
          throw Object.assign(new Error(`the body has more than ${maxBytes} bytes`), {
            name: 'RequestError',
            code: 'BODY_TOO_LARGE',
          });
        }
        all.push(piece);
      }
      return Buffer.concat(all);
    },
    [Symbol.asyncIterator]: () => iterator,
  };
}

async function* pieces(body: InjectedRequest['body']): AsyncGenerator<Buffer> {
  if (body === undefined) return;
  if (typeof body === 'string') yield Buffer.from(body);
  else if (body instanceof Uint8Array) yield Buffer.from(body);
  else for await (const piece of body) yield Buffer.from(piece);
}
