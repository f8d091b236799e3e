// A listening socket for other processes: bound here, never accepted on here, handed to workers by its descriptor.

import { lookup } from 'node:dns/promises';
import net, { isIP, isIPv6 } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { checkReachable } from './listen.ts';
import { isSocket, listenerText, noListeningSocket, type Listener } from './listener.ts';
import { placeUnixSocket } from './unix-socket.ts';

export interface ListeningSocket {
  /** Give it to workers in a slot of 3 or more: below, libuv makes it blocking for everybody. They listen on it. */
  readonly fd: number;
  /** Where, as `--listen` takes it; the port is the real one where 0 was asked for. */
  readonly at: string;
  /** Let web servers find it, once there is a worker to listen. */
  publish(): Promise<void>;
  /** Remove what it has left in the file system. The descriptor stays open: whoever waits in its backlog is not sent away. */
  remove(): Promise<void>;
}

/** What Node binds without listening; a net.Server would accept. */
interface BoundHandle {
  fd: number;
  getsockname(name: { port?: number }): number;
}

type CreateServerHandle = (address: string, port: number, addressType: number) => BoundHandle | number;

/** Bind. Rejects with an error that says what to do: see `listen`, of which this is the first half. */
export async function openListeningSocket(
  place: Listener,
  options: { restricted?: boolean } = {},
): Promise<ListeningSocket> {
  if (place.kind === 'descriptor') {
    if (!isSocket(place.fd)) throw noListeningSocket(place.fd);
    return { fd: place.fd, at: listenerText(place), publish: async () => {}, remove: async () => {} };
  }
  if (place.kind === 'unix') {
    let fd = -1;
    const socket = await placeUnixSocket(place, async (path) => {
      fd = bind(path, -1, -1).fd;
    });
    return { fd, at: listenerText(place), publish: () => socket.publish(), remove: () => socket.remove() };
  }
  const { host, port } = place;
  checkReachable(host, options.restricted ?? false);
  try {
    const address = isIP(host) === 0 ? (await lookup(host)).address : host;
    const handle = bind(address, port, isIPv6(address) ? 6 : 4);
    const name: { port?: number } = {};
    handle.getsockname(name);
    const at = listenerText({ ...place, port: name.port ?? port });
    return { fd: handle.fd, at, publish: async () => {}, remove: async () => {} };
  } catch (error) {
    throw new Error(`cannot listen on ${host}:${port}: ${(error as Error).message}`, { cause: error });
  }
}

function bind(address: string, port: number, addressType: number): BoundHandle {
  const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle;
  if (create === undefined) {
    throw new Error(
      'this Node cannot bind without accepting: have a socket handed over, by systemd or with --listen fd:n',
    );
  }
  const handle = create(address, port, addressType);
  if (typeof handle !== 'number') return handle;
  const [code, message] = getSystemErrorMap().get(handle) ?? ['UNKNOWN', `error ${handle}`];
  throw Object.assign(new Error(`${code}: ${message}`), { code });
}
