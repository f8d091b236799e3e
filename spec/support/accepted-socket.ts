// The server's end of a connection, for specs that look at how it is read from and written to.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import type { Socket } from 'node:net';

const CHANNEL = 'net.server.socket'; // Node tells it of every socket that a server has accepted

/** The next socket that any server of this process accepts. */
export function acceptedSocket(): Promise<Socket> {
  return new Promise((resolve) => {
    const listener = (message: unknown): void => {
      unsubscribe(CHANNEL, listener);
      resolve((message as { socket: Socket }).socket);
    };
    subscribe(CHANNEL, listener);
  });
}

/** Resolves when nobody reads from the socket any more. */
export async function paused(socket: Socket): Promise<void> {
  if (!socket.isPaused()) await once(socket, 'pause');
}
