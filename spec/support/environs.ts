// What web servers really send: the variables of one GET and of one chunked POST, as they were recorded.
//
// The request: `GET /app/x%20y?q=1` to www.example:8080 from 192.0.2.7, with Authorization, Proxy, X_Under, X-Forwarded-For, and
// Cookie and X-Two two times each; the application is mounted at /app. The POST has no Content-Length but 11 bytes in chunks.
// What a web server leaves out is left out, what it repeats is repeated.

import { encodePairs, NameValues } from '../../lib/protocol/index.ts';

export type Pairs = readonly (readonly [name: string, value: string])[];

/** One web server's way to say the same. */
export interface WebServer {
  readonly name: string;
  readonly get: Pairs;
  readonly chunkedPost: Pairs;
  /** CONTENT_LENGTH of the POST as it is to be understood: undefined where the web server does not know it. */
  readonly chunkedLength: number | undefined;
  /** The same of the GET. */
  readonly getLength: number | undefined;
  /** Whether it lets X_Under through. */
  readonly passesUnderscores: boolean;
  /** Whether it lets Authorization through. */
  readonly passesAuthorization: boolean;
}

/** Variables as a request has them: also from what no object could hold, a name twice. */
export function variablesOf(pairs: Pairs): NameValues {
  return new NameValues(encodePairs(pairs).toString('latin1'));
}

/** `pairs` with others instead of those of their names, or beside them. */
export function withPairs(pairs: Pairs, changes: Readonly<Record<string, string>>): Pairs {
  return [...pairs.filter(([name]) => !Object.hasOwn(changes, name)), ...Object.entries(changes)];
}

// nginx 1.22.1, PATH_INFO by fastcgi_split_path_info
const nginx: Pairs = [
  ['QUERY_STRING', 'q=1'],
  ['REQUEST_METHOD', 'GET'],
  ['CONTENT_TYPE', ''],
  ['CONTENT_LENGTH', ''],
  ['SCRIPT_NAME', '/app'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['DOCUMENT_URI', '/app/x y'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REQUEST_SCHEME', 'http'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'nginx/1.22.1'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['REMOTE_USER', 'u'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_PORT', '8080'],
  ['SERVER_NAME', ''],
  ['REDIRECT_STATUS', '200'],
  ['HTTP_HOST', 'www.example'],
  ['SCRIPT_NAME', '/app'],
  ['PATH_INFO', '/x y'],
  ['HTTP_PROXY', 'evil'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b'],
  ['HTTP_COOKIE', 'c=d'],
  ['HTTP_X_TWO', '1'],
  ['HTTP_X_TWO', '2'],
];
// nginx 1.22.1, fastcgi_params as they come
const nginxPlain: Pairs = [
  ['QUERY_STRING', 'q=1'],
  ['REQUEST_METHOD', 'GET'],
  ['CONTENT_TYPE', ''],
  ['CONTENT_LENGTH', ''],
  ['SCRIPT_NAME', '/app/x y'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['DOCUMENT_URI', '/app/x y'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REQUEST_SCHEME', 'http'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'nginx/1.22.1'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['REMOTE_USER', 'u'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_PORT', '8080'],
  ['SERVER_NAME', ''],
  ['REDIRECT_STATUS', '200'],
  ['HTTP_HOST', 'www.example'],
  ['HTTP_PROXY', 'evil'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b'],
  ['HTTP_COOKIE', 'c=d'],
  ['HTTP_X_TWO', '1'],
  ['HTTP_X_TWO', '2'],
];
// lighttpd 1.4.69
const lighttpd: Pairs = [
  ['CONTENT_LENGTH', '0'],
  ['QUERY_STRING', 'q=1'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['REDIRECT_STATUS', '200'],
  ['SCRIPT_NAME', '/app'],
  ['PATH_INFO', '/x y'],
  ['PATH_TRANSLATED', '/srv/www/x y'],
  ['SCRIPT_FILENAME', '/srv/www/app'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['REQUEST_METHOD', 'GET'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['SERVER_SOFTWARE', 'lighttpd/1.4.69'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['REQUEST_SCHEME', 'http'],
  ['SERVER_PORT', '8080'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_NAME', 'www.example'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['HTTP_HOST', 'www.example:8080'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_X_UNDER', '1'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b; c=d'],
  ['HTTP_X_TWO', '1, 2'],
];
// Caddy 2.6.2
const caddy: Pairs = [
  ['DOCUMENT_ROOT', '/srv/www'],
  ['HTTP_HOST', 'www.example:8080'],
  ['SCRIPT_FILENAME', '/srv/www'],
  ['PATH_TRANSLATED', '/srv/www/app/x y'],
  ['HTTP_X_FORWARDED_PROTO', 'http'],
  ['REQUEST_METHOD', 'GET'],
  ['SERVER_SOFTWARE', 'Caddy/2.6.2'],
  ['REQUEST_SCHEME', 'http'],
  ['SERVER_PORT', '8080'],
  ['HTTP_X_UNDER', '1'],
  ['HTTP_X_FORWARDED_FOR', '192.0.2.7'],
  ['HTTP_X_FORWARDED_HOST', 'www.example:8080'],
  ['REMOTE_USER', ''],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['PATH_INFO', '/app/x y'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['SCRIPT_NAME', ''],
  ['HTTP_COOKIE', 'a=b, c=d'],
  ['REMOTE_IDENT', ''],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['CONTENT_TYPE', ''],
  ['REMOTE_HOST', '192.0.2.7'],
  ['SERVER_NAME', 'www.example'],
  ['DOCUMENT_URI', ''],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['CONTENT_LENGTH', '0'],
  ['AUTH_TYPE', ''],
  ['HTTP_PROXY', 'evil'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['QUERY_STRING', 'q=1'],
  ['HTTP_X_TWO', '1, 2'],
];
// HAProxy 2.6.12
const haproxy: Pairs = [
  ['HTTP_HOST', 'www.example:8080'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b'],
  ['HTTP_COOKIE', 'c=d'],
  ['HTTP_X_TWO', '1'],
  ['HTTP_X_TWO', '2'],
  ['AUTH_TYPE', 'Basic'],
  ['REMOTE_USER', 'u'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['SCRIPT_NAME', '/app'],
  ['PATH_INFO', '/x y'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['REQUEST_METHOD', 'GET'],
  ['QUERY_STRING', 'q=1'],
  ['SERVER_NAME', 'www.example:8080'],
  ['SERVER_PORT', '8080'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['SCRIPT_FILENAME', '/srv/www/app'],
  ['PATH_TRANSLATED', '/srv/www/x y'],
  ['CONTENT_LENGTH', '0'],
  ['SERVER_SOFTWARE', 'HAProxy 2.6.12-1+deb12u4'],
];
// Apache 2.4 mod_proxy_fcgi with CGIPassAuth
const proxyFcgi: Pairs = [
  ['HTTP_HOST', 'www.example:8080'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b, c=d'],
  ['HTTP_X_TWO', '1, 2'],
  ['SERVER_SOFTWARE', 'Apache/2.4.71 (Debian) mod_fcgid/2.3.9'],
  ['SERVER_NAME', 'www.example'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_PORT', '8080'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['REQUEST_SCHEME', 'http'],
  ['SCRIPT_FILENAME', 'proxy:fcgi://127.0.0.1:9000//x%20y'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REQUEST_METHOD', 'GET'],
  ['QUERY_STRING', 'q=1'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['SCRIPT_NAME', '/app/x y'],
];
// mod_fcgid 2.3.9
const fcgid: Pairs = [
  ['HTTP_HOST', 'www.example:8080'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b, c=d'],
  ['HTTP_X_TWO', '1, 2'],
  ['SERVER_SOFTWARE', 'Apache/2.4.71 (Debian) mod_fcgid/2.3.9'],
  ['SERVER_NAME', 'www.example'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_PORT', '8080'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['DOCUMENT_ROOT', '/srv/www'],
  ['REQUEST_SCHEME', 'http'],
  ['SCRIPT_FILENAME', '/srv/www/app.fcgi'],
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['REQUEST_METHOD', 'GET'],
  ['QUERY_STRING', 'q=1'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['SCRIPT_NAME', '/app'],
  ['PATH_INFO', '/x y'],
  ['PATH_TRANSLATED', '/srv/www/x y'],
  ['Authorization', 'Basic dTpw'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_CONNECTION', 'close'],
  ['CONTENT_LENGTH', '0'],
];
// h2o 2.2, as its source says: nothing is filtered, and there is no length without a body
const h2o: Pairs = [
  ['SCRIPT_NAME', ''],
  ['PATH_INFO', '/app/x y'],
  ['QUERY_STRING', 'q=1'],
  ['REMOTE_ADDR', '192.0.2.7'],
  ['REMOTE_PORT', '40000'],
  ['REQUEST_METHOD', 'GET'],
  ['REQUEST_URI', '/app/x%20y?q=1'],
  ['SERVER_ADDR', '127.0.0.1'],
  ['SERVER_PORT', '8080'],
  ['SERVER_NAME', 'www.example'],
  ['SERVER_PROTOCOL', 'HTTP/1.1'],
  ['SERVER_SOFTWARE', 'h2o/2.2.5'],
  ['HTTP_HOST', 'www.example:8080'],
  ['HTTP_PROXY', 'evil'],
  ['HTTP_AUTHORIZATION', 'Basic dTpw'],
  ['HTTP_X_UNDER', '1'],
  ['HTTP_X_FORWARDED_FOR', '1.2.3.4'],
  ['HTTP_COOKIE', 'a=b'],
  ['HTTP_COOKIE', 'c=d'],
  ['HTTP_X_TWO', '1'],
  ['HTTP_X_TWO', '2'],
];

const POST = { REQUEST_METHOD: 'POST', REQUEST_URI: '/app/chunked', QUERY_STRING: '', CONTENT_TYPE: 'text/plain' };
const buffered = { ...POST, CONTENT_LENGTH: '11' };
const byNginx = { ...buffered, HTTP_TRANSFER_ENCODING: 'chunked', HTTP_CONTENT_TYPE: 'text/plain' };
const byCaddy = { ...POST, CONTENT_LENGTH: '-1', HTTP_CONTENT_TYPE: 'text/plain' };

const usual = { chunkedLength: 11, getLength: 0, passesUnderscores: false, passesAuthorization: true };

export const WEB_SERVERS: readonly WebServer[] = [
  { ...usual, name: 'lighttpd', get: lighttpd, chunkedPost: withPairs(lighttpd, buffered), passesUnderscores: true },
  { ...usual, name: 'nginx', get: nginx, chunkedPost: withPairs(nginx, byNginx), getLength: undefined },
  {
    ...usual,
    name: 'nginx without PATH_INFO',
    get: nginxPlain,
    chunkedPost: withPairs(nginxPlain, byNginx),
    getLength: undefined,
  },
  {
    ...usual,
    name: 'Apache mod_proxy_fcgi with CGIPassAuth',
    get: proxyFcgi,
    chunkedPost: withPairs(proxyFcgi, buffered),
    getLength: undefined,
  },
  {
    ...usual,
    name: 'Apache mod_proxy_fcgi',
    get: proxyFcgi.filter(([name]) => name !== 'HTTP_AUTHORIZATION'),
    chunkedPost: withPairs(proxyFcgi, buffered),
    getLength: undefined,
    passesAuthorization: false,
  },
  {
    ...usual,
    name: 'Caddy',
    get: caddy,
    chunkedPost: withPairs(caddy, byCaddy),
    chunkedLength: undefined,
    passesUnderscores: true,
  },
  { ...usual, name: 'mod_fcgid with FcgidPassHeader', get: fcgid, chunkedPost: withPairs(fcgid, buffered) },
  {
    ...usual,
    name: 'h2o',
    get: h2o,
    chunkedPost: withPairs(h2o, buffered),
    getLength: undefined,
    passesUnderscores: true,
  },
  { ...usual, name: 'HAProxy', get: haproxy, chunkedPost: withPairs(haproxy, buffered), passesAuthorization: false },
];
