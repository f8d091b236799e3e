// One listener, one request, two ways: Node's own http server on a socket, and Postfork without one.

import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { fromNode } from '../../../lib/adapters/node/index.ts';
import { Application, type InjectedRequest } from '../../../lib/app/index.ts';

/** What a listener is given besides the two. */
export interface Scene {
  /** Note what has happened. The same note twice in a row is one. */
  readonly log: (event: string) => void;
  /** The client goes away. */
  readonly hangUp: () => void;
}

export type ScenicListener = (request: IncomingMessage, response: ServerResponse, scene: Scene) => unknown;

export interface Sent {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export type Case = readonly [title: string, listener: ScenicListener, sent?: Sent];

/** jest takes an argument that is not there for a callback. */
export const whole = ([title, listener, sent = {}]: Case): Required<Case> => [title, listener, sent];

/** What became of it. */
export interface Outcome {
  readonly events: readonly string[];
  /** 0: no answer. */
  readonly status: number;
  /** In order, without those that are the web server's own. */
  readonly headers: readonly string[];
  readonly body: string;
  /** Whether the answer broke off. */
  readonly cut: boolean;
}

const NOTHING: Omit<Outcome, 'events'> = { status: 0, headers: [], body: '', cut: true };
const NEVER_ANSWERED = 'before the answer was complete'; // what http ends without a word is a 500 here
const NOT_OURS = /^(?:date|connection|keep-alive|transfer-encoding|trailer)$/i;
const TURNS = 10; // of the event loop, in which all that is left to happen happens

/** Notes the events of both. */
function watch(request: IncomingMessage, response: ServerResponse, { log }: Scene): void {
  for (const event of ['end', 'aborted', 'close']) request.on(event, () => log(`req ${event}`));
  request.on('error', (error: NodeJS.ErrnoException) => log(`req error ${error.code ?? error.message}`));
  for (const event of ['prefinish', 'finish', 'drain', 'pipe', 'unpipe', 'close']) {
    response.on(event, () => log(`res ${event}`));
  }
  response.on('error', (error: NodeJS.ErrnoException) => log(`res error ${error.code ?? error.message}`));
}

/** A listener whose request and response are watched. */
export const watched =
  (listener: ScenicListener): ScenicListener =>
  (request, response, scene) => {
    watch(request, response, scene);
    return listener(request, response, scene);
  };

/** One that is watched, and called when the body has been read. */
export const reading =
  (then: ScenicListener): ScenicListener =>
  (request, response, scene) => {
    watch(request, response, scene);
    request.on('data', () => scene.log('req data'));
    request.on('end', () => then(request, response, scene));
  };

/** The same request both ways. */
export async function bothWays(listener: ScenicListener, sent: Sent): Promise<{ http: Outcome; postfork: Outcome }> {
  const http = await underHttp(listener, sent);
  const postfork = await underPostfork(listener, sent);
  // What is written in one turn of the event loop goes out whole, with its length.
  const hasLength = http.headers.some((field) => /^content-length:/i.test(field));
  const headers = postfork.headers.filter((field) => hasLength || !/^content-length:/i.test(field));
  // Of an answer that is cut, how much has come by then is up to the machine.
  const length = http.cut && postfork.cut ? Math.min(http.body.length, postfork.body.length) : Infinity;
  const shortened = (outcome: Outcome): Outcome => ({ ...outcome, body: outcome.body.slice(0, length) });
  return { http: shortened(http), postfork: shortened({ ...postfork, headers }) };
}

/** Under http.createServer, on a connection for this one request. */
async function underHttp(listener: ScenicListener, sent: Sent = {}): Promise<Outcome> {
  const notes = new Notes();
  const server = createServer((request, response) => {
    const scene = { log: notes.add, hangUp: () => client.destroy() };
    void listener(request, response, scene);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { method = 'GET', target = '/', headers = {}, body } = sent;
  const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
  const client = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path: target,
    agent: false,
    headers: { Host: 'localhost', ...length, ...headers },
  });
  const answer = await new Promise<Omit<Outcome, 'events'>>((resolve) => {
    client.on('error', () => resolve(NOTHING));
    client.on('response', (response) => {
      const pieces: Buffer[] = [];
      const status = response.statusCode ?? 0;
      const fields = fieldsOf(pairs(response.rawHeaders));
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', () => {});
      response.on('close', () => resolve({ status, headers: fields, body: latin1(pieces), cut: !response.complete }));
    });
    client.end(body);
  });
  await new Promise((resolve) => server.close(resolve));
  for (let i = 0; i < TURNS; i++) await turn();
  return { events: notes.all, ...answer };
}

/** Under an Application. */
async function underPostfork(listener: ScenicListener, sent: Sent = {}): Promise<Outcome> {
  const notes = new Notes();
  const gone = new AbortController();
  const handler = fromNode((request, response) =>
    listener(request, response, {
      log: notes.add,
      hangUp: () => void setImmediate(() => gone.abort(new Error('gone'))),
    }),
  );
  const injected: InjectedRequest = { ...sent, signal: gone.signal };
  const application = new Application().fallback(handler);
  const answer = await application.inject(injected).then(
    ({ status, headers, body, cut, stderr }) =>
      stderr.includes(NEVER_ANSWERED) && !cut
        ? NOTHING
        : { status, headers: fieldsOf(headers), body: latin1([body]), cut: cut || gone.signal.aborted },
    () => NOTHING,
  );
  for (let i = 0; i < TURNS; i++) await turn();
  return { events: notes.all, ...answer };
}

class Notes {
  readonly all: string[] = [];
  readonly add = (event: string): void => {
    if (this.all.at(-1) !== event) this.all.push(event);
  };
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] as string] as [string, string]] : []));
}

function fieldsOf(headers: readonly (readonly [string, string])[]): string[] {
  return headers.filter(([name]) => !NOT_OURS.test(name)).map(([name, value]) => `${name}: ${value}`);
}

function latin1(pieces: readonly Buffer[]): string {
  const text = Buffer.concat(pieces).toString('latin1');
  return text.length < 100
    ? text
    : `${text.length} characters, ${createHash('sha1').update(text, 'latin1').digest('hex')}`;
}
