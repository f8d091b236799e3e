// Gateways before real and scripted applications, closed after each test.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Application } from '../../lib/app/index.ts';
import { Gateway, type Access, type GatewayOptions } from '../../lib/gateway/index.ts';
import { serve, type ServeOptions, type Serving } from '../../lib/serve.ts';
import { Mailbox } from '../support/mailbox.ts';
import { ScriptedApplication } from '../support/scripted-application.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A gateway that listens. */
export interface Started {
  readonly gateway: Gateway;
  readonly port: number;
  /** What became of the requests, one after the other. */
  readonly accesses: Mailbox<Access>;
  /** Its log. */
  readonly lines: Mailbox<string>;
}

export interface Gateways {
  /** A free address for an application. */
  readonly address: () => string;
  readonly start: (to: string, options?: Partial<GatewayOptions>) => Promise<Started>;
  /** An application that is served, and a gateway before it. */
  readonly before: (
    application: Application,
    options?: Partial<GatewayOptions>,
    serveOptions?: ServeOptions,
  ) => Promise<Started>;
  /** An application that does what the spec tells it, and a gateway before it. */
  readonly beforeScript: (options?: Partial<GatewayOptions>) => Promise<Started & { application: ScriptedApplication }>;
  readonly serve: (application: Application, address: string, options?: ServeOptions) => Promise<Serving>;
  /** A connection to a gateway: what is written to it is HTTP by the spec's own hand. */
  readonly raw: (started: Started, text?: string) => Promise<RawHttp>;
}

/** What came on a connection. */
export class RawHttp {
  readonly socket: Socket;
  /** Settles with all that came, when the connection is closed, in whichever way. */
  readonly closed: Promise<string>;
  received = '';
  #watchers: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('latin1').on('error', () => {});
    socket.on('data', (text: string) => {
      this.received += text;
      for (const wake of this.#watchers.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => socket.once('close', () => resolve(this.received)));
  }

  /** Resolves when what came has a match. */
  async has(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.received);
      if (match !== null) return match;
      if (this.socket.closed) throw new Error(`${String(pattern)} did not come: ${this.received}`);
      await Promise.race([new Promise<void>((resolve) => this.#watchers.push(resolve)), this.closed]);
    }
  }
}

/** Call it where hooks may be registered. */
export function gateways(): Gateways {
  const folder = temporaryFolder();
  const ends: (() => unknown)[] = [];
  let count = 0;
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  const all: Gateways = {
    address: () => `unix:${folder.join(`${(count += 1)}.sock`)}`,
    async start(to, options = {}) {
      const accesses = new Mailbox<Access>();
      const lines = new Mailbox<string>();
      const gateway = new Gateway({
        to,
        onAccess: (access) => accesses.put(access),
        onLog: (line) => lines.put(line),
        ...options,
      });
      ends.push(() => gateway.close({ timeout: 0 }));
      const { port } = await gateway.listen({ port: 0 });
      return { gateway, port, accesses, lines };
    },
    async before(application, options, serveOptions) {
      const address = all.address();
      await all.serve(application, address, serveOptions);
      return all.start(address, options);
    },
    async beforeScript(options) {
      const application = await ScriptedApplication.listen(all.address().slice('unix:'.length));
      ends.push(() => application.close());
      return { application, ...(await all.start(application.address, options)) };
    },
    async serve(application, address, options) {
      const serving = await serve(application, { listen: address, ...options });
      ends.push(() => serving.close({ timeout: 0 }));
      return serving;
    },
    async raw({ port }, text = '') {
      const socket = connect(port, '127.0.0.1');
      const http = new RawHttp(socket);
      ends.push(() => socket.destroy());
      await once(socket, 'connect');
      if (text !== '') socket.write(text, 'latin1');
      return http;
    },
  };
  return all;
}
