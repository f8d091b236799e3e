// What a request is for, read from CGI meta-variables (RFC 3875, section 4.1) the way web servers really set them.

/** The meta-variables of one request: latin1 strings, a byte a character. */
export interface MetaVariables extends Iterable<[name: string, value: string]> {
  /** The last value of that name; with `separator`, all of its values joined. */
  get(name: string, separator?: string): string | undefined;
  has(name: string): boolean;
  /** Call `visit` for each variable, in order; where `initials` are given, for those whose names begin with one of them. */
  each(initials: string, visit: (name: string, value: string) => void): void;
}

/** The request's method, REQUEST_METHOD (4.1.12). `GET` where a web server sends none. */
export function requestMethod(variables: MetaVariables): string {
  return variables.get('REQUEST_METHOD') || 'GET';
}

/**
 * The request's target as the client sent it, path and query, always beginning with `/`. Bytes that no URL may have (a
 * client's raw UTF-8, for one) are percent-encoded, so that it is all visible ASCII.
 *
 * REQUEST_URI where there is one: it is raw in every web server, whereas SCRIPT_NAME and PATH_INFO are decoded, merged or
 * missing in some. Otherwise it is put together from SCRIPT_NAME, PATH_INFO and QUERY_STRING.
 */
export function requestTarget(variables: MetaVariables): string {
  const uri = variables.get('REQUEST_URI');
  const target = uri ? withoutOrigin(uri) : targetOfParts(variables);
  return NOT_VISIBLE.test(target) ? target.replaceAll(/[^!-~]/g, encodeByte) : target;
}

const NOT_VISIBLE = /[^!-~]/;

function withoutOrigin(uri: string): string {
  if (uri.charCodeAt(0) === 0x2f) return uri;
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/is.exec(uri); // absolute-form (RFC 9112, 3.2.2)
  const target = absolute ? (absolute[1] as string) : uri;
  return target.startsWith('/') ? target : `/${target}`;
}

function targetOfParts(variables: MetaVariables): string {
  const decoded = (variables.get('SCRIPT_NAME') ?? '') + (variables.get('PATH_INFO') ?? '');
  const path = decoded.replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/]/g, encodeByte);
  const query = variables.get('QUERY_STRING');
  return (path.startsWith('/') ? path : `/${path}`) + (query ? `?${query}` : '');
}

const encodeByte = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/** The query string without its `?`: QUERY_STRING, which a web server's rewrite may have changed, or else the target's. */
export function queryString(variables: MetaVariables, target: string): string {
  const given = variables.get('QUERY_STRING');
  if (given !== undefined) return given;
  return /^[^?#]*\?([^#]*)/.exec(target)?.[1] ?? '';
}

/**
 * The path of a target: what stands before `?` (and `#`, which no client should send). Letters, digits, `-._~` that were
 * percent-encoded without need are plain in it (RFC 3986, 6.2.2.2): what looks at the path must not take `/%61dmin` for
 * something else than the router does.
 */
export function targetPath(target: string): string {
  let encoded = false;
  let end = 0;
  for (; end < target.length; end++) {
    const char = target.charCodeAt(end);
    if (char === 0x3f || char === 0x23) break;
    if (char === 0x25) encoded = true;
  }
  const path = end === target.length ? target : target.slice(0, end);
  return encoded
    ? path.replaceAll(NEEDLESSLY_ENCODED, (code) => String.fromCharCode(parseInt(code.slice(1), 16)))
    : path;
}

const NEEDLESSLY_ENCODED = /%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)/gi;

/**
 * The path below a mount: `/app/x` mounted at `/app` is `/x`, `/app` itself is `/`; undefined for what lies outside.
 * `mount`: '' for the root, else begins with `/` and does not end with one.
 */
export function pathBelow(path: string, mount: string): string | undefined {
  if (mount === '') return path;
  if (!path.startsWith(mount)) return undefined;
  if (path.length === mount.length) return '/';
  return path.charCodeAt(mount.length) === 0x2f ? path.slice(mount.length) : undefined;
}

/**
 * CONTENT_LENGTH (4.1.2) in bytes. Undefined where the length is not known: absent, empty (nginx) or -1 (Caddy); the end
 * of STDIN tells then. NaN for anything that is not a number, and where two different ones were sent.
 */
export function contentLength(variables: MetaVariables): number | undefined {
  const value = variables.get('CONTENT_LENGTH', ',');
  if (value === undefined || value === '' || value === '-1') return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  const values = new Set(value.split(',')); // sent more than once
  const [only] = values;
  return values.size === 1 && only !== undefined && only !== value && /^\d{1,15}$/.test(only) ? Number(only) : NaN;
}

/** The scheme the client used: `https` where HTTPS is on (or REQUEST_SCHEME says so), else `http`. */
export function requestScheme(variables: MetaVariables): 'http' | 'https' {
  const https = variables.get('HTTPS');
  if (https !== undefined && https !== '' && https.toLowerCase() !== 'off') return 'https';
  return variables.get('REQUEST_SCHEME') === 'https' ? 'https' : 'http';
}

/** The host the client asked for, with its port where that is not the scheme's own: Host, else SERVER_NAME; '' for neither. */
export function requestHost(variables: MetaVariables): string {
  const host = variables.get('HTTP_HOST');
  if (host) return host;
  const name = variables.get('SERVER_NAME') ?? '';
  if (name === '' || /^[^:]*:\d+$/.test(name)) return name; // nginx without a server_name, HAProxy with the port
  const port = variables.get('SERVER_PORT');
  const usual = requestScheme(variables) === 'https' ? '443' : '80';
  return port && port !== usual ? `${name}:${port}` : name;
}
