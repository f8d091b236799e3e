// The sockets that this process has open, as Linux shows them in /proc, and whom they are connected to.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';

const DESCRIPTORS = '/proc/self/fd';
const SOCKET = /^socket:\[(\d+)\]$/;

// include/net/tcp_states.h; udp uses the first and the last of them
const ESTABLISHED = '01';
const CLOSED = '07';
const LISTENING = '0A';

// /proc/net/unix: SOCK_STREAM and SOCK_SEQPACKET, and SS_CONNECTED. Datagrams (syslog) keep apart what several processes send.
const UNIX_CONNECTIONS: ReadonlySet<string> = new Set(['0001', '0005']);
const UNIX_CONNECTED = '03';

const MAPPED = '::ffff:'; // IPv4 on an IPv6 socket (RFC 4291, 2.5.5.2)

/** Descriptors that are sockets, and the inode of each: unlike a descriptor it is not given to the next one. Empty but on Linux. */
export function openSockets(): Map<number, string> {
  const sockets = new Map<number, string>();
  if (process.platform !== 'linux') return sockets;
  for (const name of readdirSync(DESCRIPTORS)) {
    const inode = socketInode(Number(name));
    if (inode !== undefined) sockets.set(Number(name), inode);
  }
  return sockets;
}

/** The inode of a descriptor that is a socket. */
function socketInode(fd: number): string | undefined {
  try {
    return SOCKET.exec(readlinkSync(`${DESCRIPTORS}/${fd}`))?.[1];
  } catch {
    return undefined; // closed, as the descriptor that listed them
  }
}

/**
 * Whom sockets are connected to, by inode, as the kernel's tables of this network namespace tell (proc(5)). Those that listen, or
 * are not connected, are left out. Of a unix socket the peer's path is not known: `unix`.
 */
export function connectedPeers(inodes: ReadonlySet<string>): Map<string, string> {
  const peers = new Map<string, string>();
  for (const protocol of ['tcp', 'udp']) {
    for (const table of [protocol, `${protocol}6`]) {
      for (const [, , remote = '', state = '', , , , , , inode = ''] of rows(table)) {
        const connected = protocol === 'tcp' ? state !== LISTENING && state !== CLOSED : state === ESTABLISHED;
        if (connected && inodes.has(inode)) peers.set(inode, `${protocol}:${decodeEndpoint(remote)}`);
      }
    }
  }
  for (const [, , , , type = '', state, inode = ''] of rows('unix')) {
    if (UNIX_CONNECTIONS.has(type) && state === UNIX_CONNECTED && inodes.has(inode)) peers.set(inode, 'unix');
  }
  return peers;
}

/** `127.0.0.1:5432`, `[::1]:5432`; an IPv4 address on an IPv6 socket is written as IPv4. */
export function formatEndpoint(address: string, port: number): string {
  const plain = address.startsWith(MAPPED) ? address.slice(MAPPED.length) : address;
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}

/** The columns of each line below the headline. */
function rows(table: string): string[][] {
  let text: string;
  try {
    text = readFileSync(`/proc/self/net/${table}`, 'latin1');
  } catch {
    return []; // a system without IPv6
  }
  return text
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/** Addresses are hexadecimal words of 32 bits in the machine's byte order, ports are numbers. */
function decodeEndpoint(endpoint: string): string {
  const [words = '', port = ''] = endpoint.split(':');
  const bytes = Buffer.from(words, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  return formatEndpoint(bytes.length === 4 ? bytes.join('.') : formatIpv6(bytes), Number.parseInt(port, 16));
}

function formatIpv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16));
  if (groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff') return `${MAPPED}${bytes.subarray(12).join('.')}`;
  return new URL(`tcp://[${groups.join(':')}]`).hostname.slice(1, -1); // shortens zeros (RFC 5952)
}
