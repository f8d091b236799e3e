// Gateway: an HTTP/1.1 server in front of one FastCGI application.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Client } from '../client/index.ts';
import type { Access } from './access.ts';
import { settingsOf, type GatewayOptions, type Settings } from './options.ts';
import { refuse } from './refuse.ts';
import { Relay } from './relay.ts';

/** Where to listen. */
export interface Place {
  /** TCP port; 0 takes a free one. Default 8080. */
  port?: number;
  /** Address. Default 127.0.0.1: this is for development, with nothing between it and the network. */
  host?: string;
}

/** Where it listens. */
export interface Listening {
  readonly host: string;
  readonly port: number;
  /** For a browser. */
  readonly url: string;
}

/** A client's connection. */
interface Peer {
  /** Aborted when it is closed. */
  readonly gone: AbortController;
  /** Answers that are not complete. */
  readonly running: Set<ServerResponse>;
  /** Its last request. Pipelined ones are done one after the other: what one changes the next may ask for (RFC 9112, 9.3.2). */
  last: Promise<void>;
  /** The one before that. */
  beforeLast: Promise<void>;
  request: IncomingMessage | undefined;
  /** Something has come that is no request. */
  refused: boolean;
}

const MAX_HEAD_BYTES = 64 * 1024; // of a request's head; more is a 431
const MAX_CONNECTIONS = 1024;
const CLIENT_GONE = 499;

/**
 *     const gateway = new Gateway({ to: 'unix:/run/app.sock' });
 *     const { url } = await gateway.listen({ port: 8080 });
 *     await gateway.close();
 */
export class Gateway {
  readonly #settings: Settings;
  readonly #client: Client;
  readonly #server: Server;
  readonly #peers: Map<Socket, Peer> = new Map();
  #closing: Promise<void> | undefined;

  /** Connects to nothing yet. Throws ClientError `BAD_ADDRESS`, RangeError for a bound that is not one. */
  constructor(options: GatewayOptions) {
    this.#settings = settingsOf(options);
    const { to, timeout, maxConnections, keepConn } = this.#settings;
    this.#client = new Client({ address: to, headTimeout: timeout, bodyTimeout: timeout, maxConnections, keepConn });
    this.#server = createServer({ maxHeaderSize: MAX_HEAD_BYTES }, (request, response) => {
      const peer = this.#peers.get(request.socket) as Peer;
      peer.running.add(response);
      peer.request = request;
      peer.beforeLast = peer.last;
      peer.last = this.#serve(request, response, peer.last, peer.gone.signal).finally(() => {
        peer.running.delete(response);
        if (this.#closing !== undefined && peer.running.size === 0) request.socket.destroySoon();
      });
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket: Socket) => {
      const gone = new AbortController();
      const none = Promise.resolve();
      this.#peers.set(socket, {
        gone,
        running: new Set(),
        last: none,
        beforeLast: none,
        request: undefined,
        refused: false,
      });
      socket.once('close', () => {
        this.#peers.delete(socket);
        gone.abort();
      });
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
      this.#refuse(error.code, socket as Socket),
    );
  }

  /** Rejects with an error that says what to do where it cannot listen. */
  async listen({ port = 8080, host = '127.0.0.1' }: Place = {}): Promise<Listening> {
    this.#server.listen({ port, host });
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw listenError(error as NodeJS.ErrnoException, port, host);
    }
    const { port: bound } = this.#server.address() as AddressInfo;
    return { host, port: bound, url: `http://${urlHost(host)}:${bound}/` };
  }

  /** Accept nobody any more; what runs may end within `timeout` ms, then it is cut. Resolves when no connection is left. */
  close({ timeout = 5000 }: { timeout?: number } = {}): Promise<void> {
    return (this.#closing ??= this.#close(timeout));
  }

  async #close(timeout: number): Promise<void> {
    for (const [socket, { running }] of this.#peers) {
      const last = [...running].at(-1);
      if (last !== undefined) last.shouldKeepAlive = false;
      else socket.destroy(); // Node does not take a connection for idle that has had no request
    }
    const timer = setTimeout(() => {
      this.#server.closeAllConnections();
      this.#client.destroy();
    }, timeout);
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.#client.close();
    clearTimeout(timer);
  }

  /** Behind the answers to what has come before it. */
  #refuse(code: string | undefined, socket: Socket): void {
    const peer = this.#peers.get(socket);
    if (peer === undefined) return void socket.destroy();
    if (peer.refused) return; // each further piece of it is told
    peer.refused = true;
    const isInBody = peer.request?.complete === false;
    const before = isInBody ? peer.beforeLast : peer.last;
    void before.then(() => {
      if (isInBody && [...peer.running].at(-1)?.headersSent === true) socket.destroySoon();
      else refuse(socket, code);
    });
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    before: Promise<void>,
    gone: AbortSignal,
  ): Promise<void> {
    const time = new Date();
    const begun = performance.now();
    const { socket } = request;
    const remoteAddress = socket.remoteAddress ?? ''; // not known any more once it is closed
    for (const message of [request, response]) message.on('error', () => {}); // the socket's end is what counts
    await before;
    const relay = new Relay(request, response, gone, this.#client, this.#settings);
    await relay.run();
    const { bytes, end } = relay;
    const access: Access = {
      time,
      remoteAddress,
      method: request.method ?? '',
      target: request.url ?? '',
      status: response.headersSent ? response.statusCode : CLIENT_GONE,
      bytes,
      duration: performance.now() - begun,
      end,
    };
    this.#settings.onAccess(access);
  }
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): Error {
  const where = `${urlHost(host)}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(`${where} is in use by another program: give another port`, { cause: error });
    case 'EACCES':
      return new Error(`${where}: no permission; ports below 1024 are not for everybody`, { cause: error });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new Error(`${where}: this machine has no such address`, { cause: error });
    default:
      return new Error(`cannot listen on ${where}: ${error.message}`, { cause: error });
  }
}

const urlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);
