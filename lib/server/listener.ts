// Where a server listens: parsing of `--listen`, and what the process was given by whoever started it.

import { fstatSync } from 'node:fs';
import { isIP } from 'node:net';

/** A listening place. `descriptor`: a listening socket this process already has. */
export type Listener =
  | { kind: 'unix'; path: string; mode: number; group: string | undefined }
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'descriptor'; fd: number };

const FORMS = 'unix:/path/app.sock, unix:/path/app.sock?mode=660&group=www-data, tcp:127.0.0.1:9000, fd:0 or systemd';
const DEFAULT_MODE = 0o660;
const SYSTEMD_FIRST = 3; // SD_LISTEN_FDS_START

/** Read one of the forms in FORMS. `systemd` is the first socket of LISTEN_FDS. Throws TypeError that names the forms. */
export function parseListener(text: string, environ: NodeJS.ProcessEnv = process.env): Listener {
  const wrong = (why: string): TypeError => new TypeError(`--listen ${text}: ${why}; write ${FORMS}`);
  if (text === 'systemd') {
    const inherited = systemdDescriptors(environ);
    if (inherited[0] === undefined) throw wrong('systemd gave this process no socket (LISTEN_FDS, LISTEN_PID)');
    return { kind: 'descriptor', fd: inherited[0] };
  }
  if (text.startsWith('/') || text.startsWith('./')) return parseUnix(text, wrong);
  const at = text.indexOf(':');
  const rest = text.slice(at + 1);
  switch (text.slice(0, Math.max(at, 0))) {
    case 'unix':
      return parseUnix(rest, wrong);
    case 'tcp':
      return parseTcp(rest, wrong);
    case 'fd':
      if (!/^\d{1,4}$/.test(rest)) throw wrong('a descriptor is a number');
      return { kind: 'descriptor', fd: Number(rest) };
    default:
      throw wrong('not a place to listen');
  }
}

/**
 * The socket that whoever started this process left for it: systemd's (LISTEN_FDS), else descriptor 0 as lighttpd,
 * mod_fcgid and spawn-fcgi give it (specification 2.2). Undefined where there is none.
 */
export function inheritedListener(environ: NodeJS.ProcessEnv = process.env): Listener | undefined {
  const [first] = systemdDescriptors(environ);
  if (first !== undefined) return { kind: 'descriptor', fd: first };
  return isSocket(0) ? { kind: 'descriptor', fd: 0 } : undefined;
}

/** The listening place as `--listen` takes it. */
export function listenerText(listener: Listener): string {
  if (listener.kind === 'unix') return `unix:${listener.path}`;
  if (listener.kind === 'descriptor') return `fd:${listener.fd}`;
  return `tcp:${listener.host.includes(':') ? `[${listener.host}]` : listener.host}:${listener.port}`;
}

function systemdDescriptors(environ: NodeJS.ProcessEnv): number[] {
  const count = Number(environ['LISTEN_FDS'] ?? 0);
  if (!Number.isInteger(count) || count <= 0 || environ['LISTEN_PID'] !== String(process.pid)) return [];
  return Array.from({ length: count }, (_, i) => SYSTEMD_FIRST + i);
}

/** For a descriptor that was given to listen on. */
export function noListeningSocket(fd: number, options?: ErrorOptions): Error {
  return new Error(
    `descriptor ${fd} is not a listening socket; start this program from a web server or systemd, or give --listen`,
    options,
  );
}

/** Whether a descriptor is a socket of any kind. */
export function isSocket(fd: number): boolean {
  try {
    // bigint: what Node 20 remembers of another call for a socket confuses its loader, which then takes links for files
    return fstatSync(fd, { bigint: true }).isSocket();
  } catch {
    return false; // closed
  }
}

function parseUnix(rest: string, wrong: (why: string) => TypeError): Listener {
  const [, path = '', query = ''] = /^([^?]*)\??(.*)$/s.exec(rest) ?? [];
  if (path === '') throw wrong('the path is missing');
  let mode = DEFAULT_MODE;
  let group: string | undefined;
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'mode' && /^0?[0-7]{3}$/.test(value)) mode = parseInt(value, 8);
    else if (name === 'group' && value !== '') group = value;
    else throw wrong(`${name}=${value} is not an option of a unix socket (mode is three octal digits)`);
  }
  return { kind: 'unix', path, mode, group };
}

function parseTcp(rest: string, wrong: (why: string) => TypeError): Listener {
  const [, host, port] = /^(?:(\[[^\]]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(rest) ?? [];
  if (port === undefined || Number(port) > 65_535) throw wrong('host:port is missing or wrong');
  const name = host === undefined ? '127.0.0.1' : host.replace(/^\[|\]$/g, '');
  if (host?.startsWith('[') && isIP(name) !== 6) throw wrong(`${host} is not an IPv6 address`);
  return { kind: 'tcp', host: name, port: Number(port) };
}
