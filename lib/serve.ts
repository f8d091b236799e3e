// serve(): one worker. An application behind a server at a listening place.

import type { Application } from './app/index.ts';
import {
  inheritedListener,
  listen,
  parseListener,
  RequestError,
  Server,
  type CloseOptions,
  type Listener,
  type Logger,
  type ServerOptions,
} from './server/index.ts';
import { got_request_exception, worker_started, worker_stopping } from './signals/index.ts';

export interface ServeOptions extends Omit<ServerOptions, 'responder' | 'authorizer' | 'filter'> {
  /**
   * `unix:/run/app.sock`, `unix:/run/app.sock?mode=660&group=www-data`, `tcp:127.0.0.1:9000`, `fd:0` or `systemd`. Default:
   * the socket this process was started with (systemd's, or descriptor 0 from lighttpd, mod_fcgid or spawn-fcgi).
   */
  listen?: string;
  /** How many workers there may be of the application, as worker_started tells. Default 1. */
  workers?: number;
  /** Whether this is the first of them, as worker_started tells. Default true. */
  first?: boolean;
  /** Connections that may wait to be accepted. Default 1024. */
  backlog?: number;
}

/** An application that is being served. */
export interface Serving {
  /** Where, in the form of `listen`. */
  readonly at: string;
  readonly server: Server;
  /** Stop: see Server.close. worker_stopping is sent when no request runs any more. A second call may shorten the time. */
  close(options?: CloseOptions): Promise<void>;
  /**
   * Call it where Node tells of an error that nobody has caught, 'uncaughtException' or 'unhandledRejection': the request that
   * it happened for ends at once. False where none ends by it: see Application.fail.
   */
  fail(error: unknown): boolean;
}

/**
 * Serve an application. worker_started is awaited before the first request. FCGI_WEB_SERVER_ADDRS is heeded where `allow`
 * is not given (specification 3.2). Rejects with an error that says what to do where it cannot listen.
 */
export async function serve(application: Application, options: ServeOptions = {}): Promise<Serving> {
  const place = options.listen === undefined ? inheritedListener() : parseListener(options.listen);
  if (place === undefined) {
    throw new TypeError('nowhere to listen: give for example unix:/run/app.sock or tcp:127.0.0.1:9000');
  }
  const allow = options.allow ?? webServerAddresses();
  const server = new Server({ ...options, ...(allow && { allow }), ...application.handlers() });
  const unlog = logExceptions(application, options.log);
  const worker = { pid: process.pid, workers: options.workers ?? 1, first: options.first ?? true };
  const leave = async (): Promise<void> => {
    await worker_stopping.notify(undefined, { ...worker });
    unlog();
  };
  await worker_started.notify(undefined, { ...worker });
  const listening = await listen(server, place satisfies Listener, {
    ...(options.backlog !== undefined && { backlog: options.backlog }),
    restricted: allow !== undefined,
  }).catch(async (error: unknown) => {
    await leave(); // what worker_started has opened would keep the process alive
    throw error;
  });
  let closing: Promise<void> | undefined;
  const close = async (closeOptions?: CloseOptions): Promise<void> => {
    await listening.close(closeOptions);
    await application.finishAll(new RequestError('STOPPING', 'the worker is stopping'));
    await leave();
  };
  return {
    at: listening.at,
    server,
    close: (closeOptions) => {
      if (closing === undefined) closing = close(closeOptions);
      else void server.close(closeOptions); // the same promise, which the first call has
      return closing;
    },
    fail: (error) => application.fail(error),
  };
}

/** FCGI_WEB_SERVER_ADDRS: a comma list of IP addresses; unset means everybody. */
function webServerAddresses(): string[] | undefined {
  const value = process.env['FCGI_WEB_SERVER_ADDRS'];
  return value === undefined ? undefined : value.split(',');
}

function logExceptions(application: Application, log: Logger | undefined): () => void {
  if (log === undefined) return () => {};
  const receiver = ({ error }: { error: unknown }): void => log.error({ err: error }, 'a request failed');
  got_request_exception.connect(receiver, { sender: application });
  return () => got_request_exception.disconnect(receiver, { sender: application });
}
