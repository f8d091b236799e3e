// listen(): makes a server listen at a place, and tells how to stop.

import { isIP, isIPv4 } from 'node:net';
import { listenerText, noListeningSocket, type Listener } from './listener.ts';
import type { CloseOptions, Server } from './server.ts';
import { placeUnixSocket, type UnixSocket } from './unix-socket.ts';

export interface ListenOptions {
  /** Connections that may wait to be accepted; the system caps it (net.core.somaxconn). Default 1024. */
  backlog?: number;
  /** Whether peers are restricted: a TCP address that others can reach is refused without. */
  restricted?: boolean;
}

/** A server that listens. */
export interface Listening {
  /** Where, as `--listen` takes it; the port is the real one where 0 was asked for. */
  readonly at: string;
  /** Close the server (see Server.close) and remove what listening left in the file system. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Rejects with an error that says what to do: a path in use, a descriptor that is no listening socket, a TCP address
 * that others can reach without a list of who may (`allow`, FCGI_WEB_SERVER_ADDRS).
 */
export async function listen(server: Server, place: Listener, options: ListenOptions = {}): Promise<Listening> {
  const backlog = options.backlog ?? 1024;
  if (place.kind === 'unix') {
    const remove = await bindUnix(server, place, backlog);
    return {
      at: listenerText(place),
      close: async (closeOptions) => {
        await remove();
        await server.close(closeOptions);
      },
    };
  }
  if (place.kind === 'descriptor') await bindDescriptor(server, place.fd, backlog);
  else await bindTcp(server, place.host, place.port, backlog, options.restricted ?? false);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    at: listenerText(place.kind === 'tcp' ? { ...place, port } : place),
    close: (closeOptions) => server.close(closeOptions),
  };
}

/** Returns what removes its file. */
async function bindUnix(server: Server, place: UnixSocket, backlog: number): Promise<() => Promise<void>> {
  const socket = await placeUnixSocket(place, (path) => server.bind({ path, backlog })).catch(closed(server));
  await socket.publish().catch(closed(server));
  return () => socket.remove();
}

/** For a server that may have been bound before something failed. */
function closed(server: Server): (error: unknown) => Promise<never> {
  return async (error) => {
    await server.close({ timeout: 0 });
    throw error;
  };
}

async function bindDescriptor(server: Server, fd: number, backlog: number): Promise<void> {
  try {
    await server.bind({ fd, backlog });
  } catch (error) {
    throw noListeningSocket(fd, { cause: error });
  }
}

async function bindTcp(
  server: Server,
  host: string,
  port: number,
  backlog: number,
  restricted: boolean,
): Promise<void> {
  checkReachable(host, restricted);
  try {
    await server.bind({ host, port, backlog });
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
  }
}

/** Throws where others could connect and nobody has said who may. */
export function checkReachable(host: string, restricted: boolean): void {
  if (restricted || isLoopback(host)) return;
  throw new Error(
    `${host} can be reached by others, and FastCGI has no passwords; name who may connect (--allow 10.0.0.5, or ` +
      'FCGI_WEB_SERVER_ADDRS), or listen on 127.0.0.1 or a unix socket',
  );
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === 'localhost';
  return isIPv4(host) ? host.startsWith('127.') : host === '::1';
}
