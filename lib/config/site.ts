// What is configured, whichever web server it is for: options, checked and with their defaults.

export interface SiteOptions {
  /** Where the application listens: `unix:/run/app.sock`, `tcp:127.0.0.1:9000` or `tcp:[::1]:9000`. */
  to: string;
  /** TCP port of the web server. Default 80. */
  port?: number;
  /** Address the web server binds to, such as `127.0.0.1` or `::`. Default: all IPv4 ones. */
  host?: string;
  /** Name of the site, for the Host header. Default: any. */
  serverName?: string;
  /** The path that the application is at, `/` or such as `/app`: give the application the same one. Default `/`. */
  mount?: string;
  /** Folder of the files that the web server serves by itself. Default: none. */
  root?: string;
  /** With `root` and the mount `/`: the paths below which it does so; elsewhere the mount decides. Default `/static/`. */
  staticPath?: string;
  /** Folder that the application may send files from by X-Sendfile (lighttpd) or X-Accel-Redirect (nginx). Default: none. */
  files?: string;
  /** Hand request bodies on as they arrive, instead of when they are complete. Default false. */
  streamRequests?: boolean;
  /** Hand answers on no faster than the client takes them, instead of keeping them for it. Default false. */
  streamResponses?: boolean;
  /** Bytes of a request's body that the web server lets pass. Default 64 MiB. */
  maxBody?: number;
}

/** Where the application listens. */
type Upstream = { kind: 'unix'; path: string } | { kind: 'tcp'; host: string; port: number };

export interface Site {
  readonly to: Upstream;
  readonly port: number;
  readonly host: string | undefined;
  readonly serverName: string | undefined;
  /** '' for the root, else with a slash before and none behind. */
  readonly mount: string;
  readonly root: string | undefined;
  readonly staticPath: string;
  readonly files: string | undefined;
  readonly streamRequests: boolean;
  readonly streamResponses: boolean;
  readonly maxBody: number;
}

const MIB = 1024 * 1024;
// Unreserved characters only: web servers compare decoded paths, and these are the same either way (RFC 3986, 2.3).
const PATH = /^(?:\/[A-Za-z0-9\-._~]+)*\/?$/;

/** Throws TypeError for an option that no configuration can be made of. */
export function siteOf(options: SiteOptions): Site {
  const mount = pathOption('mount', options.mount ?? '/').replace(/\/$/, '');
  const staticPath = `${pathOption('staticPath', options.staticPath ?? '/static/').replace(/\/$/, '')}/`;
  if (staticPath === '/') throw new TypeError('staticPath: nothing would be left for the application');
  return {
    to: parseUpstream(options.to),
    port: wholeNumber('port', options.port ?? 80, 1, 65_535),
    host: options.host === undefined ? undefined : word('host', options.host),
    serverName: options.serverName === undefined ? undefined : word('serverName', options.serverName),
    mount,
    root: options.root === undefined ? undefined : folder('root', options.root),
    staticPath,
    files: options.files === undefined ? undefined : folder('files', options.files),
    streamRequests: options.streamRequests ?? false,
    streamResponses: options.streamResponses ?? false,
    maxBody: wholeNumber('maxBody', options.maxBody ?? 64 * MIB, 1, Number.MAX_SAFE_INTEGER),
  };
}

function parseUpstream(to: string): Upstream {
  const path = /^(?:unix:)?(\/[^?]+)/.exec(to)?.[1];
  if (path !== undefined) return { kind: 'unix', path: quotable('to', path) };
  const [, bracketed, plain, port] = /^tcp:(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(to) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new TypeError(`to: ${to}: write unix:/run/app.sock or tcp:127.0.0.1:9000`);
  }
  return { kind: 'tcp', host, port: wholeNumber('to', Number(port), 1, 65_535) };
}

function pathOption(name: string, path: string): string {
  if (!path.startsWith('/') || !PATH.test(path)) {
    throw new TypeError(`${name}: ${path}: write a path such as /app, of letters, digits and - . _ ~`);
  }
  return path;
}

function folder(name: string, path: string): string {
  if (!path.startsWith('/')) throw new TypeError(`${name}: ${path}: write an absolute path`);
  return quotable(name, path.length > 1 ? path.replace(/\/+$/, '') : path);
}

/** Neither web server has a way to write these in a string that holds for every directive. */
export function quotable(name: string, text: string): string {
  // eslint-disable-next-line no-control-regex
  if (/[\0-\x1f\x7f"\\$]/.test(text)) throw new TypeError(`${name}: ${text}: no control characters and none of " \\ $`);
  return text;
}

function word(name: string, text: string): string {
  if (!/^[A-Za-z0-9.:_*-]+$/.test(text)) throw new TypeError(`${name}: ${text} is not a name or an address`);
  return text;
}

export function wholeNumber(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new TypeError(`${name}: ${value} is not a whole number from ${least} to ${most}`);
  }
  return value;
}
