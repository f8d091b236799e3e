// What a request is for, as nginx reads it: the target as it was sent, and the path decoded and normalized.

export interface Target {
  /** REQUEST_URI: as the client sent it, without scheme and host. */
  readonly uri: string;
  /** The host of an absolute target, which counts for more than Host (RFC 9112, 3.2.2). */
  readonly authority: string | undefined;
  /** PATH_INFO: percent-decoded to bytes (latin1, one character each), slashes merged, dot segments resolved. */
  readonly path: string;
  /** QUERY_STRING. */
  readonly query: string;
}

/** Undefined for what nginx refuses: a path above the root, an encoded NUL, `%` without two hexadecimal digits. */
export function readTarget(sent: string): Target | undefined {
  const [, authority, rest = sent] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(sent) ?? [];
  const uri = authority === undefined || rest.startsWith('/') ? rest : `/${rest}`;
  const [, encoded = '', query = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(uri) ?? [];
  const decoded = decoded8Bit(encoded);
  const path = decoded?.startsWith('/') === true ? normalized(decoded) : undefined;
  return path === undefined ? undefined : { uri, authority, path, query };
}

function decoded8Bit(path: string): string | undefined {
  if (/%(?![0-9a-f]{2})|%00/i.test(path)) return undefined;
  return path.replaceAll(/%(..)/g, (_code, digits: string) => String.fromCharCode(parseInt(digits, 16)));
}

function normalized(path: string): string | undefined {
  const segments: string[] = [];
  let isFolder = true;
  for (const segment of path.split('/')) {
    isFolder = segment === '' || segment === '.' || segment === '..';
    if (!isFolder) segments.push(segment);
    else if (segment === '..' && segments.pop() === undefined) return undefined;
  }
  return `/${segments.join('/')}${isFolder && segments.length > 0 ? '/' : ''}`;
}
