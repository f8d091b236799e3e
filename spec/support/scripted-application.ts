// An application side that does exactly what a spec tells it, right or wrong, over a real socket.

import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import {
  ABORT_REQUEST,
  AUTHORIZER,
  BEGIN_REQUEST,
  DATA,
  FILTER,
  GET_VALUES,
  PARAMS,
  PairReader,
  RecordParser,
  STDIN,
  STDOUT,
  decodeBeginRequest,
  encodeEndRequest,
  encodeStreamEnd,
  streamBuffers,
} from '../../lib/protocol/index.ts';
import { Mailbox } from './mailbox.ts';

/** A request as it came. */
export interface ScriptedRequest {
  readonly id: number;
  readonly role: number;
  readonly keepConn: boolean;
  readonly params: [name: string, value: string][];
  readonly stdin: Buffer;
  readonly data: Buffer;
  /** The streams that were ended by an empty record. */
  readonly ended: ReadonlySet<number>;
}

interface Incoming {
  readonly id: number;
  readonly role: number;
  readonly keepConn: boolean;
  readonly ended: Set<number>;
  readonly params: PairReader;
  readonly stdin: Buffer[];
  readonly data: Buffer[];
}

const text = (bytes: string | Buffer): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);

/** STDOUT with `output`, its end, and END_REQUEST. */
export function answer(id: number, output: string | Buffer, appStatus = 0, protocolStatus = 0): Buffer {
  return Buffer.concat([
    ...streamBuffers(STDOUT, id, text(output)),
    encodeStreamEnd(STDOUT, id),
    encodeEndRequest(id, appStatus, protocolStatus),
  ]);
}

/** A piece of STDOUT, which goes on. */
export function output(id: number, bytes: string | Buffer): Buffer {
  return Buffer.concat(streamBuffers(STDOUT, id, text(bytes)));
}

/** One accepted connection. */
export class ScriptedConnection {
  readonly socket: Socket;
  /** The chunks as they were read. */
  readonly chunks: Buffer[] = [];
  /** Types and ids of the records' pieces, in order. */
  readonly pieces: [type: number, id: number][] = [];
  /** Settles when the web server has closed its side. */
  readonly closed: Promise<unknown>;
  readonly #heads: Mailbox<ScriptedRequest> = new Mailbox();
  readonly #requests: Mailbox<ScriptedRequest> = new Mailbox();
  readonly #aborts: Mailbox<number> = new Mailbox();
  readonly #queries: Mailbox<string[]> = new Mailbox();
  readonly #incoming: Map<number, Incoming> = new Map();

  constructor(socket: Socket) {
    this.socket = socket;
    const parser = new RecordParser('application', (type, id, chunk, start, end) => {
      this.pieces.push([type, id]);
      this.#onRecord(type, id, chunk.subarray(start, end));
    });
    socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      parser.push(chunk);
    });
    socket.on('error', () => {}); // what the web server does to it is the spec's business
    this.closed = new Promise((resolve) => socket.on('end', resolve).on('close', resolve));
    void this.closed.then(() => {
      for (const box of [this.#heads, this.#requests, this.#aborts, this.#queries]) box.close('the connection ended');
    });
  }

  /** The next request whose PARAMS have come; its STDIN may still be on its way. */
  head(): Promise<ScriptedRequest> {
    return this.#heads.next();
  }

  /** The next request that is complete. */
  request(): Promise<ScriptedRequest> {
    return this.#requests.next();
  }

  /** The id of the next ABORT_REQUEST. */
  abort(): Promise<number> {
    return this.#aborts.next();
  }

  /** The names in the next GET_VALUES. */
  query(): Promise<string[]> {
    return this.#queries.next();
  }

  send(...buffers: Buffer[]): void {
    this.socket.write(Buffer.concat(buffers));
  }

  /** Send a whole response. */
  answer(id: number, output: string | Buffer, appStatus = 0, protocolStatus = 0): void {
    this.send(answer(id, output, appStatus, protocolStatus));
  }

  /** Close in the orderly way, after what was sent. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onRecord(type: number, id: number, content: Buffer): void {
    if (type === BEGIN_REQUEST) {
      const begin = decodeBeginRequest(content, 0, content.length);
      const params = new PairReader({ maxBytes: 16 * 1024 * 1024, maxPairs: 1_000_000 });
      this.#incoming.set(id, { id, ...begin, ended: new Set(), params, stdin: [], data: [] });
      return;
    }
    if (type === ABORT_REQUEST) this.#aborts.put(id);
    if (type === GET_VALUES) {
      const reader = new PairReader();
      reader.push(content, 0, content.length);
      this.#queries.put([...reader.finish()].map(([name]) => name));
    }
    const request = this.#incoming.get(id);
    if (request === undefined) return;
    if (content.length === 0) this.#onStreamEnd(request, type);
    else if (type === PARAMS) request.params.push(content, 0, content.length);
    else if (type === STDIN) request.stdin.push(content);
    else if (type === DATA) request.data.push(content);
  }

  #onStreamEnd(request: Incoming, type: number): void {
    request.ended.add(type);
    const last = request.role === AUTHORIZER ? PARAMS : request.role === FILTER ? DATA : STDIN;
    if (type === PARAMS) this.#heads.put(complete(request));
    if (type === last) this.#requests.put(complete(request));
  }
}

function complete(request: Incoming): ScriptedRequest {
  const { id, role, keepConn, ended } = request;
  const params = [...request.params.finish()];
  return { id, role, keepConn, ended, params, stdin: Buffer.concat(request.stdin), data: Buffer.concat(request.data) };
}

/** Listens, and gives its connections to the spec. */
export class ScriptedApplication {
  /** As a client takes it: `unix:...` or `tcp:...`. */
  readonly address: string;
  readonly #server: Server;
  readonly #accepted: Mailbox<ScriptedConnection> = new Mailbox();
  readonly #connections: ScriptedConnection[] = [];
  #handler: ((request: ScriptedRequest, connection: ScriptedConnection) => void) | undefined;

  /** Listen on a unix socket at `path`, or on a free port of `127.0.0.1`. */
  static async listen(path?: string): Promise<ScriptedApplication> {
    const server = createServer({ allowHalfOpen: true });
    if (path === undefined) server.listen(0, '127.0.0.1');
    else server.listen(path);
    await once(server, 'listening');
    return new ScriptedApplication(server, path);
  }

  constructor(server: Server, path: string | undefined) {
    this.#server = server;
    this.address = path === undefined ? `tcp:127.0.0.1:${(server.address() as AddressInfo).port}` : `unix:${path}`;
    server.on('connection', (socket) => {
      const connection = new ScriptedConnection(socket);
      this.#connections.push(connection);
      if (this.#handler) void this.#serve(connection, this.#handler);
      this.#accepted.put(connection);
    });
  }

  /** The connections so far, oldest first. */
  get connections(): readonly ScriptedConnection[] {
    return this.#connections;
  }

  /** The next connection that comes. */
  connection(): Promise<ScriptedConnection> {
    return this.#accepted.next();
  }

  /** Call `handler` for every complete request of connections to come. */
  serve(handler: (request: ScriptedRequest, connection: ScriptedConnection) => void): void {
    this.#handler = handler;
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    if (!this.#server.listening) return;
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(
    connection: ScriptedConnection,
    handler: (request: ScriptedRequest, connection: ScriptedConnection) => void,
  ): Promise<void> {
    try {
      for (;;) handler(await connection.request(), connection);
    } catch {
      // the connection ended
    }
  }
}
