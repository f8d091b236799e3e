// The fork guard: which connections the application has opened while it was loaded, and where in its code. A fork copies their
// descriptors, not the connections: all workers would talk on the same ones.

import { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { connectedPeers, formatEndpoint, openSockets } from './open-sockets.ts';
import { WeakList } from './weak-list.ts';

const MAX_FRAMES = 50; // before Node's own are dropped
const SHOWN_FRAMES = 20; // between a driver and the application there may be a dozen of libraries
const SHOWN_SOCKETS = 10;

/** A connection that a fork would share. */
export interface OpenSocket {
  fd: number;
  /**
   * `tcp:127.0.0.1:5432`, `tcp:[::1]:5432`, `udp:127.0.0.1:8125`, `unix:/run/postgresql/.s.PGSQL.5432` (`unix:@name` for an
   * abstract one), or `unix` where Linux does not tell whose it is: a unix socket that Node has not connected.
   */
  peer: string;
  /**
   * The lines of the stack at its `connect`, Node's own left out. Absent for one that Node has not connected: native code
   * (libpq), a worker thread, one that was accepted or handed over.
   */
  stack?: string;
}

export interface SocketWatch {
  /**
   * Every connection that has been opened since the watch began and is open now, by descriptor. Linux; elsewhere none.
   *
   * Not in it: listening and unconnected sockets, unix datagrams, and the standard streams and IPC channels of child processes
   * that were started since. A fork shares these too, but they are no connection to a service.
   */
  connected(): OpenSocket[];
  /** Node's methods are as they were; what is open by now is still told. Call it in a forked worker too. Idempotent. */
  stop(): void;
}

/**
 * Watch the sockets of this process. Call it before the application is loaded: what is open by then (an IPC channel, the
 * standard streams, the listening socket) is not the application's.
 */
export function watchSockets(): SocketWatch {
  return new Watch();
}

/** How Node was told to connect a socket. */
interface Origin {
  path: string | undefined;
  stack: string | undefined;
}

class Watch implements SocketWatch {
  readonly #before: Set<string> = new Set(openSockets().values());
  readonly #origins: WeakMap<Socket, Origin> = new WeakMap();
  readonly #sockets: WeakList<Socket> = new WeakList();
  readonly #children: WeakList<ChildProcess> = new WeakList();
  readonly #restore: readonly (() => void)[];

  constructor() {
    this.#restore = [
      // All of Node's clients come by here: net, tls, http, http2, fetch.
      spy(Socket.prototype, 'connect', (socket, [target], own) => {
        this.#sockets.add(socket);
        this.#origins.set(socket, { path: pathOf(target), stack: captureStack(own) });
      }),
      spy(ChildProcess.prototype, 'spawn', (child) => this.#children.add(child)),
    ];
  }

  stop(): void {
    for (const restore of this.#restore) restore();
  }

  connected(): OpenSocket[] {
    const ours = new Map([...this.#sockets].map((socket) => [descriptorOf(socket), socket]));
    const ofChildren = new Set(
      [...this.#children].flatMap((child) => [child.stdio, child.channel].flat().map(descriptorOf)),
    );
    const open = openSockets();
    let peers: Map<string, string> | undefined; // the kernel's tables are long: not read where Node knows
    const found: OpenSocket[] = [];
    for (const [fd, inode] of open) {
      if (this.#before.has(inode) || ofChildren.has(fd)) continue;
      const socket = ours.get(fd);
      const { path, stack } = (socket && this.#origins.get(socket)) ?? { path: undefined, stack: undefined };
      let peer = remoteOf(socket) ?? (peers ??= connectedPeers(new Set(open.values()))).get(inode);
      if (peer === undefined) continue;
      if (peer === 'unix' && path !== undefined) peer = `unix:${path}`;
      found.push({ fd, peer, ...(stack !== undefined && { stack }) });
    }
    return found.toSorted((a, b) => a.fd - b.fd);
  }
}

/** What the log says of them: what they are, where they were opened, why that is a fault, and what to do. */
export function guardMessage(sockets: readonly OpenSocket[]): string {
  const one = sockets.length === 1;
  const lines = [
    `The application has opened ${one ? 'a connection' : `${sockets.length} connections`} while it was loaded, before the fork. ` +
      `All workers would share ${one ? 'it' : 'them'}: they read each other's answers, and the first that closes ` +
      `${one ? 'it' : 'one'} ends it for all.`,
  ];
  for (const { fd, peer, stack } of sockets.slice(0, SHOWN_SOCKETS)) {
    if (stack === undefined) {
      lines.push(`  ${peer} (descriptor ${fd}), opened outside of Node's net: by native code as libpq, or accepted`);
    } else {
      lines.push(`  ${peer} (descriptor ${fd}), opened`, ...stack.split('\n').slice(0, SHOWN_FRAMES));
    }
  }
  if (sockets.length > SHOWN_SOCKETS) lines.push(`  and ${sockets.length - SHOWN_SOCKETS} more`);
  lines.push(
    `Open ${one ? 'it' : 'them'} in a receiver of worker_started, or at first use, as Postfork's database connections do. ` +
      '--fork-guard off says nothing of this.',
  );
  return lines.join('\n');
}

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Learn of each call of a method before it happens. Gives what ends that. */
function spy<T extends object>(
  prototype: T,
  name: string,
  seen: (self: T, args: unknown[], own: Method) => void,
): () => void {
  const methods = prototype as Record<string, Method>;
  const original = methods[name] as Method;
  let active = true;
  const own: Method = function (this: unknown, ...args) {
    if (active) seen(this as T, args, own);
    return Reflect.apply(original, this, args);
  };
  methods[name] = own;
  return () => {
    active = false;
    if (methods[name] === own) methods[name] = original; // else somebody else, on top of ours, calls it
  };
}

/** The callers of a function; Node's own, and those of the language (`new Promise`), left out. */
function captureStack(of: Method): string | undefined {
  const { stackTraceLimit } = Error;
  const holder: { stack?: unknown } = {};
  Error.stackTraceLimit = MAX_FRAMES;
  Error.captureStackTrace(holder, of);
  Error.stackTraceLimit = stackTraceLimit;
  if (typeof holder.stack !== 'string') return undefined; // somebody's own Error.prepareStackTrace
  const frames = holder.stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !/^\s+at (.*\()?(node:|<anonymous>\))/.test(line));
  return frames.length === 0 ? undefined : frames.join('\n');
}

/** The path that `connect(path)`, `connect({ path })` and the normalized `connect([{ path }])` of Node itself name. */
function pathOf(target: unknown): string | undefined {
  const first: unknown = Array.isArray(target) ? target[0] : target;
  const path = typeof first === 'object' && first !== null && 'path' in first ? first.path : first;
  if (typeof path !== 'string' || Number(path) >= 0) return undefined; // a port may be a string
  return path.replace(/^\0/, '@');
}

/** The peer that a connected TCP socket of Node knows. */
function remoteOf(socket: Socket | undefined): string | undefined {
  if (socket?.remoteAddress === undefined || socket.remotePort === undefined) return undefined;
  return `tcp:${formatEndpoint(socket.remoteAddress, socket.remotePort)}`;
}

/** The descriptor of a stream or an IPC channel, -1 where it has none. Node has it, and no public name for it. */
function descriptorOf(owner: unknown): number {
  const { fd, _handle } = (owner ?? {}) as { fd?: unknown; _handle?: { fd?: unknown } | null };
  const descriptor = _handle?.fd ?? fd;
  return typeof descriptor === 'number' ? descriptor : -1;
}
