// Addresses of applications: `unix:/path` and `tcp:host:port`.

import { ClientError } from './client-error.ts';

/** Where an application listens: a unix socket's path, or a TCP host and port. */
export type Address = { readonly path: string } | { readonly host: string; readonly port: number };

// sun_path has 108 bytes with its NUL; Node cuts longer paths silently.
const MAX_PATH_BYTES = 107;

const EXAMPLES = 'unix:/run/app.sock or tcp:127.0.0.1:9000';

/**
 * Read `unix:/run/app.sock`, `unix:app.sock` (below the working folder), `tcp:127.0.0.1:9000`, `tcp:localhost:9000` or
 * `tcp:[::1]:9000`. Throws ClientError `BAD_ADDRESS` whose message says what to write instead.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) return unixAddress(text, text.slice(5));
  if (text.startsWith('tcp:')) return tcpAddress(text, text.slice(4));
  throw bad(text, `write ${suggestion(text)}`);
}

/** The address as text that `parseAddress` reads. */
export function formatAddress(address: Address): string {
  if ('path' in address) return `unix:${address.path}`;
  return `tcp:${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}

function unixAddress(text: string, path: string): Address {
  if (path === '') throw bad(text, 'the path is missing; write unix:/run/app.sock');
  if (path.includes('\0')) throw bad(text, 'there is a NUL in the path');
  const query = path.indexOf('?');
  if (query >= 0) throw bad(text, `options are for who listens; write unix:${path.slice(0, query)}`);
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) {
    throw bad(text, `the path has ${bytes} bytes, a unix socket's at most ${MAX_PATH_BYTES}; use a shorter path`);
  }
  return { path };
}

function tcpAddress(text: string, rest: string): Address {
  const match = /^(?:\[([0-9a-f:.%\w]+)\]|([^\s:[\]/]+)):(\d{1,5})$/i.exec(rest);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) throw bad(text, `write ${suggestion(rest)}`);
  return { host, port };
}

/** The address that was probably meant. */
function suggestion(text: string): string {
  if (text.startsWith('/') || text.startsWith('.') || text.endsWith('.sock')) return `unix:${text}`;
  const isIPv6 = /^[0-9a-f]*:[0-9a-f]*:[0-9a-f:]*$/i.test(text);
  const [, host = text, digits = '9000'] = (isIPv6 ? /^(.*):(\d{4,5})$/ : /^(?:(.*):)?(\d{1,5})$/).exec(text) ?? [];
  const port = Number(digits) >= 1 && Number(digits) <= 65_535 ? digits : '9000';
  if (isIPv6) return `tcp:[${host}]:${port}`;
  if (host === '' || host === digits) return text === '' ? EXAMPLES : `tcp:127.0.0.1:${port}`;
  return /^[\w.-]+$/.test(host) ? `tcp:${host}:${port}` : EXAMPLES;
}

const bad = (text: string, fix: string): ClientError =>
  new ClientError('BAD_ADDRESS', `address ${JSON.stringify(text)}: ${fix}`);
