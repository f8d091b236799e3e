// patientSocket(): a socket that is read only when it is told to, as a blocking driver's.

import { Socket, type SocketConstructorOpts } from 'node:net';

const READ = 65_536; // bytes at a time

/**
 * Node's sockets read while nobody waits: the kernel's buffer is empty by the time somebody asks. With `onread`, `pause` and
 * `resume` act at once: what comes while it is paused stays in the kernel, where every process that has the socket finds it.
 */
export function patientSocket(): Socket {
  const socket = new Socket({
    manualStart: true,
    onread: {
      buffer: new Uint8Array(READ),
      callback: (length: number, buffer: Uint8Array): boolean => {
        socket.emit('data', Buffer.from(buffer.subarray(0, length))); // a copy: the buffer is used again
        return true;
      },
    },
  } as SocketConstructorOpts);
  return socket;
}
