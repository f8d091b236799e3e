// The web server's client: asks for a page of the site, and tells what came instead.

import { Agent, request } from 'node:http';
import type { FailureKind } from '../result.ts';
import { ERROR_HEADER, type SiteRequest } from '../site/index.ts';

export interface Failure {
  readonly kind: FailureKind;
  readonly text: string;
}

interface Answer {
  readonly status: number;
  /** The class of the site's error; undefined where the page is none of its error pages. */
  readonly error: string | undefined;
  readonly body: string;
}

const SHOWN = 2000; // characters of a page that is wrong

export class SiteClient {
  readonly #port: number;
  readonly #timeout: number;
  readonly #agent: Agent;

  /** `timeout`: ms without an answer that are a hang. `connections`: at most so many. */
  constructor(port: number, timeout: number, connections: number) {
    this.#port = port;
    this.#timeout = timeout;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Resolves with what is wrong with the answer; undefined for the page that was asked for. */
  async ask(asked: SiteRequest): Promise<Failure | undefined> {
    let answer: Answer | undefined;
    try {
      answer = await this.#get(asked);
    } catch (error) {
      return { kind: 'other', text: `no answer: ${(error as Error).message}` };
    }
    if (answer === undefined) return { kind: 'hang', text: `no answer within ${this.#timeout} ms` };
    const { status, error, body } = answer;
    if (status === 200 && body === asked.page) return undefined;
    if (status === 200) return { kind: 'crossed', text: 'another page than was asked for' };
    const text = body.slice(0, SHOWN).trim();
    if (error === 'OperationalError' || error === 'InterfaceError') return { kind: error, text };
    return { kind: 'other', text: error === undefined ? `${status} from the web server` : text };
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Undefined: too late. */
  #get({ path, headers }: SiteRequest): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.#port, path, headers, agent: this.#agent };
      const asked = request(options, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('error', reject).on('end', () => {
          const error = response.headers[ERROR_HEADER.toLowerCase()] as string | undefined;
          resolve({ status: response.statusCode ?? 0, error, body });
        });
      });
      const timer = setTimeout(() => {
        resolve(undefined);
        asked.destroy();
      }, this.#timeout);
      asked
        .once('error', reject)
        .once('close', () => clearTimeout(timer))
        .end();
    });
  }
}
