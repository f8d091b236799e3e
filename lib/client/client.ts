// Client: the web server's side of FastCGI.

import { Deadline } from './deadline.ts';
import { Exchange } from './exchange.ts';
import { GetValues } from './get-values.ts';
import { settingsOf, type ClientOptions, type Settings } from './options.ts';
import { Pool } from './pool.ts';
import { messageOf, type ClientRequest } from './request.ts';
import type { ClientResponse } from './response.ts';

/**
 * Sends requests to one FastCGI application, over a pool of connections that are kept, and multiplexed if asked for.
 *
 *     const client = new Client({ address: 'unix:/run/app.sock' });
 *     const response = await client.request({ params: { REQUEST_METHOD: 'GET', REQUEST_URI: '/' } });
 *     console.log(response.status, await response.text());
 *     await client.close();
 */
export class Client {
  readonly #settings: Settings;
  readonly #pool: Pool;
  #closed: Promise<void> | undefined;

  /** Connects to nothing yet. Throws ClientError `BAD_ADDRESS`, RangeError for a bound that is not one. */
  constructor(options: ClientOptions) {
    this.#settings = settingsOf(options);
    this.#pool = new Pool(this.#settings);
  }

  /** Connections, those being made included. */
  get connections(): number {
    return this.#pool.size;
  }

  /** Requests that wait for a connection. */
  get waiting(): number {
    return this.#pool.waiting;
  }

  /**
   * Send a request. Resolves with the response when its head has come. Rejects with ClientError, whose `code` tells why.
   */
  async request(request: ClientRequest): Promise<ClientResponse> {
    return new Exchange(messageOf(request), this.#settings, this.#pool, request.signal).response;
  }

  /**
   * Ask the application for its limits (4.1): FCGI_MAX_CONNS, FCGI_MAX_REQS, FCGI_MPXS_CONNS. Names that it does not know
   * are missing from the answer. Rejects with ClientError, `UNKNOWN_TYPE` where it does not know the question.
   */
  async getValues(names: Iterable<string>): Promise<Map<string, string>> {
    return new GetValues([...names], this.#settings, this.#pool).values;
  }

  /**
   * Close: what waits fails with `CLOSED`, active requests may end within `closeTimeout`, then they fail too. Resolves
   * when no connection is left.
   */
  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  /** Close now: every request that has not ended fails with `CLOSED`, or its body with `TRUNCATED`. */
  destroy(): void {
    this.#closed ??= this.#pool.close();
    this.#pool.destroy();
  }

  async #close(): Promise<void> {
    const deadline = new Deadline();
    deadline.set(this.#settings.closeTimeout, () => this.#pool.destroy());
    await this.#pool.close();
    deadline.clear();
  }
}
