// Servers for specs: on a socket of their own, with a handler the spec plays, closed after each test.

import { listen, parseListener, Server, type Handler, type Logger, type Request } from '../../lib/server/index.ts';
import type { Response, ServerOptions } from '../../lib/server/index.ts';
import { Mailbox } from './mailbox.ts';
import { RawClient, turn } from './raw-client.ts';
import { temporaryFolder } from './temporary.ts';

/** One line that the server logged. */
export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  fields: { code?: string; err?: Error };
  message: string;
}

/** A server that listens. */
export interface Running {
  readonly server: Server;
  /** A unix socket's path, or a port of 127.0.0.1. */
  readonly where: string | number;
  readonly log: readonly LogLine[];
  readonly connect: () => Promise<RawClient>;
  /** Resolves when it has no connection any more. */
  readonly quiet: () => Promise<void>;
}

export type Transport = 'unix' | 'tcp';

export interface Servers {
  start: (options?: ServerOptions, transport?: Transport) => Promise<Running>;
  /** A handler for the spec to play. */
  calls: () => Calls;
}

export const HEAD = 'Status: 200 OK\r\nContent-Type: text/plain\r\n\r\n';

/** Answers `METHOD URI BODY`; an incomplete body with the code of its error. */
export const echo: Handler = async (request, response) => {
  let body: string;
  try {
    body = (await request.stdin.bytes(16 * 1024 * 1024)).toString('latin1');
  } catch (error) {
    body = (error as { code: string }).code;
  }
  const { params } = request;
  response.send(HEAD, `${params.get('REQUEST_METHOD')} ${params.get('REQUEST_URI')} ${body}`);
};

/** Answers `ok` at once, without looking at the input. */
export const ok: Handler = (_request, response) => response.send(HEAD, 'ok');

/** A request whose handler the spec plays. */
export interface Call {
  readonly request: Request;
  readonly response: Response;
  /** The handler ends. */
  readonly finish: () => void;
  /** The handler fails. */
  readonly fail: (error: unknown) => void;
}

/** A handler that does nothing until the spec says so. */
export class Calls {
  readonly #calls: Mailbox<Call> = new Mailbox();
  readonly #all: Call[] = [];

  readonly handler: Handler = (request, response) =>
    new Promise((finish, fail) => {
      const call: Call = { request, response, finish, fail };
      this.#all.push(call);
      this.#calls.put(call);
    });

  /** How often it was called. */
  get count(): number {
    return this.#all.length;
  }

  /** Let all handlers end that have not. */
  finishAll(): void {
    for (const call of this.#all) call.finish();
  }

  next(): Promise<Call> {
    return this.#calls.next();
  }
}

/** Call it where hooks may be registered. */
export function servers(): Servers {
  const folder = temporaryFolder();
  const clients: RawClient[] = [];
  const running: Running[] = [];
  const played: Calls[] = [];
  let count = 0;
  afterEach(async () => {
    for (const calls of played.splice(0)) calls.finishAll();
    for (const client of clients.splice(0)) client.destroy();
    await Promise.all(running.splice(0).map(({ server }) => server.close({ timeout: 1 })));
  });
  return {
    calls() {
      const calls = new Calls();
      played.push(calls);
      return calls;
    },
    async start(options = {}, transport = 'unix') {
      const log: LogLine[] = [];
      const server = new Server({ responder: echo, log: logInto(log), ...options });
      count += 1;
      const place = transport === 'unix' ? `unix:${folder.join(`${count}.sock`)}` : 'tcp:127.0.0.1:0';
      const listening = await listen(server, parseListener(place));
      const where = transport === 'unix' ? folder.join(`${count}.sock`) : Number(listening.at.split(':').at(-1));
      const one: Running = {
        server,
        where,
        log,
        async connect() {
          const client = await RawClient.connect(where);
          clients.push(client);
          return client;
        },
        async quiet() {
          while (server.connections > 0) await turn();
        },
      };
      running.push(one);
      return one;
    },
  };
}

function logInto(lines: LogLine[]): Logger {
  const at =
    (level: LogLine['level']) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
