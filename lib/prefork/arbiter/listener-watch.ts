// whenWaiting(): tells when a client waits on a listening socket that this process does not accept on.

import net from 'node:net';

interface Handle {
  fd: number;
  onread: () => void;
  readStart(): number;
}

type CreateServerHandle = (address: null, port: 0, addressType: null, fd: number) => Handle | number;

/**
 * Calls back once, also where a client waits already. Node has no public name for it: the descriptor is watched as if it were
 * to be read from. It becomes readable with the first client, and the read itself fails, which leaves the socket as it was.
 * Tried on Node 20 to 26, TCP and unix.
 */
export function whenWaiting(listener: number, callback: () => void): void {
  const create = (net as unknown as { _createServerHandle: CreateServerHandle })._createServerHandle;
  const handle = create(null, 0, null, listener);
  if (typeof handle === 'number') throw new Error(`descriptor ${listener} cannot be watched (error ${handle})`);
  handle.onread = callback;
  // The handle is not closed: that would close the listening socket. It is idle from now on, and small.
  const failed = handle.readStart();
  if (failed !== 0) throw new Error(`descriptor ${listener} cannot be watched (error ${failed})`);
}
