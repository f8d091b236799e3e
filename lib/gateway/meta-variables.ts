// The CGI meta-variables of an HTTP request (RFC 3875, 4.1), as nginx sends them.

import type { IncomingMessage } from 'node:http';
import type { Target } from './target.ts';

// HTTP_PROXY would set a proxy for careless programs (httpoxy, CVE-2016-5385); a chunked body has been put together; the CONTENT_
// ones have names of their own.
const DROPPED: ReadonlySet<string> = new Set(['proxy', 'transfer-encoding', 'content-length', 'content-type']);

/** `length`: bytes of the body, '' where the request has none. */
export function metaVariables(
  request: IncomingMessage,
  target: Target,
  host: string,
  length: string,
): Map<string, string> {
  const { socket, headers, rawHeaders } = request;
  const { localAddress = '', localPort = 0, remoteAddress = '', remotePort = 0 } = socket;
  const variables = new Map([
    ['GATEWAY_INTERFACE', 'CGI/1.1'],
    ['SERVER_SOFTWARE', 'postfork-gateway'],
    ['SERVER_PROTOCOL', `HTTP/${request.httpVersion}`],
    ['SERVER_NAME', hostName(host) || plain(localAddress)],
    ['SERVER_ADDR', plain(localAddress)],
    ['SERVER_PORT', String(localPort)],
    ['REMOTE_ADDR', plain(remoteAddress)],
    ['REMOTE_PORT', String(remotePort)],
    ['REQUEST_METHOD', request.method ?? 'GET'],
    ['REQUEST_SCHEME', 'http'],
    ['REQUEST_URI', target.uri],
    ['SCRIPT_NAME', ''],
    ['PATH_INFO', target.path],
    ['QUERY_STRING', target.query],
    ['CONTENT_TYPE', headers['content-type'] ?? ''],
    ['CONTENT_LENGTH', length],
  ]);
  for (let at = 0; at < rawHeaders.length; at += 2)
    addHeader(variables, rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  if (host !== '') variables.set('HTTP_HOST', host);
  return variables;
}

/** The variables of the request that a local redirect asks for: a GET (or HEAD) without a body (RFC 3875, 6.2.2). */
export function redirected(variables: ReadonlyMap<string, string>, target: Target): Map<string, string> {
  const { uri, path, query } = target;
  const method = variables.get('REQUEST_METHOD') === 'HEAD' ? 'HEAD' : 'GET';
  return new Map([
    ...variables,
    ['REQUEST_METHOD', method],
    ['REQUEST_URI', uri],
    ['PATH_INFO', path],
    ['QUERY_STRING', query],
    ['CONTENT_TYPE', ''],
    ['CONTENT_LENGTH', ''],
  ]);
}

/** Names with anything but letters, digits and hyphens are dropped, as nginx does: X_A and X-A would be one variable. */
function addHeader(variables: Map<string, string>, name: string, value: string): void {
  const field = name.toLowerCase();
  if (!/^[a-z0-9-]+$/.test(field) || DROPPED.has(field)) return;
  const variable = `HTTP_${field.toUpperCase().replaceAll('-', '_')}`;
  const before = variables.get(variable);
  variables.set(variable, before === undefined ? value : before + (field === 'cookie' ? '; ' : ', ') + value);
}

/** Without the port, and the brackets of an IPv6 address. */
function hostName(host: string): string {
  const [, bracketed, name = ''] = /^(?:\[([^\]]*)\]|([^:]*))/.exec(host) ?? [];
  return bracketed ?? name;
}

/** An IPv4 address that came by a socket for IPv6 is one of IPv4. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');
