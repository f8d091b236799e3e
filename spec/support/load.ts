// Load: clients that ask without a pause, each answer checked to its last byte, until they are told to stop.

import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../lib/client/index.ts';

/** One client's way to the application. */
export interface Way {
  readonly name: string;
  /** Rejects where there is no whole answer. */
  ask(asked: Asked): Promise<{ status: number; body: Buffer }>;
  close(): void;
}

export interface Asked {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: string;
}

/** One request. Times are those of performance.now(). */
interface Turn {
  readonly way: string;
  readonly method: 'GET' | 'POST';
  readonly nonce: string;
  readonly from: number;
  readonly to: number;
}

/** One that was answered as it should be. */
export interface Answer extends Turn {
  /** Of the worker that answered. */
  readonly pid: number;
  /** Of its code. */
  readonly version: number;
}

export interface Failure extends Turn {
  readonly what: string;
}

/** What a spec waits for. */
interface Watcher {
  onAnswer(answer: Answer): void;
}

const SIZES = [0, 100, 3000, 100, 70_000]; // bytes of a payload, in turn; the last one takes several records
const ANSWERED_WITHIN = 15_000; // ms
const AWAITED_WITHIN = 30_000; // ms that a spec waits for answers
const REST = 10; // ms behind a failure: what cannot be reached is not asked in a narrow loop

/**
 * One client for each way, one request at a time, GET and POST in turn, to the application of spec/workers. Every turn ends
 * in exactly one of `answers` and `failures`: `asked` is their sum once `stop()` has resolved.
 */
export class Load {
  readonly failures: Failure[] = [];
  readonly pids: Set<number> = new Set();
  readonly versions: Set<number> = new Set();
  readonly #ways: readonly Way[];
  readonly #clients: Promise<void>[];
  readonly #watchers: Set<Watcher> = new Set();
  #asked = 0;
  #answers = 0;
  #stopping = false;

  constructor(ways: readonly Way[]) {
    this.#ways = ways;
    this.#clients = ways.map((way, client) => this.#run(way, client));
  }

  get clients(): number {
    return this.#ways.length;
  }

  get asked(): number {
    return this.#asked;
  }

  get answers(): number {
    return this.#answers;
  }

  /** Resolves with the `count`th answer from now on that `matches`. Rejects after a bounded time. */
  answered(count: number, matches: (answer: Answer) => boolean = () => true): Promise<Answer> {
    let left = count;
    return new Promise((resolve, reject) => {
      const settle = (how: () => void): void => {
        clearTimeout(deadline);
        this.#watchers.delete(watcher);
        how();
      };
      const watcher: Watcher = {
        onAnswer: (answer) => {
          if (matches(answer) && --left === 0) settle(() => resolve(answer));
        },
      };
      const deadline = setTimeout(() => {
        const what = `${left} of ${count} answers have not come; failures: ${JSON.stringify(this.failures.slice(-5))}`;
        settle(() => reject(new Error(what)));
      }, AWAITED_WITHIN);
      this.#watchers.add(watcher);
    });
  }

  /** No client asks again. Resolves when each has had its last answer; rejects where the load itself is at fault. */
  async stop(): Promise<void> {
    this.#stopping = true;
    try {
      await Promise.all(this.#clients);
    } finally {
      for (const way of this.#ways) way.close();
    }
    if (this.#asked !== this.#answers + this.failures.length) throw new Error('a request was not counted');
  }

  async #run(way: Way, client: number): Promise<void> {
    for (let turn = 0; !this.#stopping; turn++) {
      const method = turn % 2 === 0 ? 'GET' : 'POST';
      const nonce = `${client}.${turn}.${Math.random().toString(36).slice(2)}`;
      const bytes = SIZES[(client + turn) % SIZES.length] as number;
      const payload = nonce.repeat(Math.ceil(bytes / nonce.length)).slice(0, bytes);
      const path = `/load/${nonce}/${bytes}`;
      this.#asked += 1;
      const from = performance.now();
      const turnNow = (): Turn => ({ way: way.name, method, nonce, from, to: performance.now() });
      let answer: Answer;
      try {
        const got = await inTime(way.ask({ method, path, body: method === 'POST' ? payload : '' }));
        answer = { ...turnNow(), ...check(got, nonce, payload) };
      } catch (error) {
        this.failures.push({ ...turnNow(), what: describe(error) });
        await delay(REST);
        continue;
      }
      this.#answers += 1;
      this.pids.add(answer.pid);
      this.versions.add(answer.version);
      for (const watcher of this.#watchers) watcher.onAnswer(answer);
    }
  }
}

/** By a web server's port. `kept`: over one connection that is kept, else over one for each request. */
export function byHttp(name: string, port: number, kept: boolean): Way {
  const agent = new Agent({ keepAlive: kept, maxSockets: 1 });
  return {
    name: `${name}, ${kept ? 'kept' : 'not kept'}`,
    ask: ({ method, path, body }) =>
      new Promise((resolve, reject) => {
        const headers = method === 'POST' ? { 'Content-Length': Buffer.byteLength(body) } : {};
        const request = httpRequest({ host: '127.0.0.1', port, method, path, headers, agent }, (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('error', reject);
          response.on('close', () => {
            if (response.complete) resolve({ status: response.statusCode ?? 0, body: Buffer.concat(pieces) });
            else reject(new Error('the answer is cut'));
          });
        });
        request.on('error', reject);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

/** By FastCGI, without a web server between: a connection for each request, and no second try. */
export function byFastCgi(address: string): Way {
  const client = new Client({ address, keepConn: false });
  return {
    name: 'FastCGI',
    ask: async ({ method, path, body }) => {
      const params = {
        REQUEST_METHOD: method,
        REQUEST_URI: path,
        SCRIPT_NAME: '',
        PATH_INFO: path,
        ...(method === 'POST' && { CONTENT_LENGTH: String(Buffer.byteLength(body)) }),
      };
      const response = await client.request({ params, stdin: body, retry: false });
      const [whole] = await Promise.all([response.bytes(), response.ended]);
      return { status: response.status, body: whole };
    },
    close: () => client.destroy(),
  };
}

/** Throws for anything but the right answer. */
function check({ status, body }: { status: number; body: Buffer }, nonce: string, payload: string): WhoAnswered {
  const text = body.toString();
  if (status !== 200) throw new Error(`status ${status}: ${text.slice(0, 200)}`);
  const end = text.indexOf('\n');
  const head = JSON.parse(text.slice(0, Math.max(end, 0))) as { nonce: string } & WhoAnswered;
  if (head.nonce !== nonce) throw new Error(`the answer to another request: ${head.nonce}`);
  if (text.slice(end + 1) !== payload) throw new Error(`a wrong body: ${text.length} characters`);
  return { pid: head.pid, version: head.version };
}

type WhoAnswered = Pick<Answer, 'pid' | 'version'>;

async function inTime<T>(asked: Promise<T>): Promise<T> {
  let deadline: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    deadline = setTimeout(() => reject(new Error('no answer in time')), ANSWERED_WITHIN);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(deadline);
  }
}

function describe(error: unknown): string {
  const { code, message, cause } = error as { code?: string; message: string; cause?: { code?: string } };
  return [code, message, cause?.code].filter(Boolean).join(' ');
}
