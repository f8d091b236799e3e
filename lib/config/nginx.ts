// nginxConfig(): an nginx server block for an application, or a whole nginx configuration.

import { siteOf, wholeNumber, type Site, type SiteOptions } from './site.ts';
import { escaped, indented, text, type Line } from './text.ts';

export interface NginxOptions extends SiteOptions {
  /** Connections to the application that each nginx worker keeps. 0: one connection for each request. Default 16. */
  keepAlive?: number;
  /** A whole configuration, for `nginx -p FOLDER -c FILE`, instead of one for nginx's conf.d folder. Default false. */
  standalone?: boolean;
  /** With `standalone`: the user of nginx's workers, who must be able to connect to the application. Default: nginx's own. */
  user?: string;
  /** Name of the upstream block; two applications in one nginx need two. Default `postfork`. */
  name?: string;
}

// The CGI variables (RFC 3875, 4.1). REQUEST_URI is the one that Postfork routes by: it is as the client sent it.
const PARAMS: readonly [name: string, value: string][] = [
  ['GATEWAY_INTERFACE', 'CGI/1.1'],
  ['SERVER_SOFTWARE', 'nginx/$nginx_version'],
  ['SERVER_PROTOCOL', '$server_protocol'],
  ['SERVER_NAME', '$server_name'],
  ['SERVER_ADDR', '$server_addr'],
  ['SERVER_PORT', '$server_port'],
  ['REMOTE_ADDR', '$remote_addr'],
  ['REMOTE_PORT', '$remote_port'],
  ['REMOTE_USER', '$remote_user'],
  ['REQUEST_METHOD', '$request_method'],
  ['REQUEST_SCHEME', '$scheme'],
  ['HTTPS', '$https if_not_empty'],
  ['REQUEST_URI', '$request_uri'],
  ['QUERY_STRING', '$query_string'],
  ['CONTENT_TYPE', '$content_type'],
  ['CONTENT_LENGTH', '$content_length'],
];

const FILES = '/postfork-files/';

/** Throws TypeError for options that no configuration can be made of. */
export function nginxConfig(options: NginxOptions): string {
  const site = siteOf(options);
  const keepAlive = wholeNumber('keepAlive', options.keepAlive ?? 16, 0, 65_535);
  const name = identifier('name', options.name ?? 'postfork');
  const http = [upstream(site, name, keepAlive), '', server(site, name, keepAlive > 0)];
  if (options.standalone === true) return text(standalone(http, options.user));
  return text([
    '# nginx in front of a FastCGI application.',
    '# Put it into /etc/nginx/conf.d/, then: nginx -t && nginx -s reload',
    '',
    http,
  ]);
}

/** All paths are relative to the folder of -p. */
function standalone(http: Line[], user: string | undefined): Line[] {
  return [
    '# nginx in front of a FastCGI application: a whole configuration. In its folder:',
    '#   check it:  nginx -p . -e error.log -c THIS_FILE -t',
    '#   run it:    nginx -p . -e error.log -c THIS_FILE -g "daemon off;"      (Ctrl-C ends it)',
    '',
    user !== undefined && `user ${identifier('user', user)};`,
    'pid nginx.pid;',
    'error_log error.log;',
    'events {}',
    'http {',
    indented([
      'access_log off;',
      'client_body_temp_path body;',
      'fastcgi_temp_path fastcgi;',
      'proxy_temp_path proxy;',
      'scgi_temp_path scgi;',
      'uwsgi_temp_path uwsgi;',
      'default_type application/octet-stream;',
      'types {',
      indented([
        'text/html html; text/css css; text/javascript js mjs; text/plain txt; application/json json; image/svg+xml svg;',
        'image/png png; image/jpeg jpg jpeg; image/gif gif; image/webp webp; image/x-icon ico; font/woff2 woff2;',
        'application/pdf pdf;',
      ]),
      '}',
      '',
      http,
    ]),
    '}',
  ];
}

function upstream({ to }: Site, name: string, keepAlive: number): Line[] {
  const host = to.kind === 'tcp' && to.host.includes(':') ? `[${to.host}]` : to.kind === 'tcp' && to.host;
  return [
    `upstream ${name} {`,
    indented([
      to.kind === 'unix' &&
        '# The workers of nginx must be allowed to write to it (--listen unix:...?mode=660&group=...).',
      to.kind === 'unix' ? `server "unix:${to.path}";` : `server ${host}:${to.port};`,
      keepAlive > 0 && [
        '# Connections that each worker keeps, and for how long: less than the idle timeout of the application, 75 s.',
        `keepalive ${keepAlive};`,
        'keepalive_timeout 60s;',
      ],
    ]),
    '}',
  ];
}

function server(site: Site, name: string, kept: boolean): Line[] {
  const host = site.host === undefined ? '' : `${site.host.includes(':') ? `[${site.host}]` : site.host}:`;
  return [
    'server {',
    indented([
      `listen ${host}${site.port};`,
      `server_name ${site.serverName ?? '_'};`,
      site.root !== undefined && `root "${site.root}";`,
      '# Bytes of a request body that may pass; the application limits each by itself (bodyLimit).',
      `client_max_body_size ${site.maxBody};`,
      '# A request line, or one header field, of up to 32 KiB.',
      'large_client_header_buffers 4 32k;',
      '',
      site.mount === '' ? atRoot(site, application(site, name, kept)) : atMount(site, application(site, name, kept)),
      site.files !== undefined && [
        '',
        '# The application names a file of this folder, nginx sends it: sendFile(request, path, { sendfile:',
        `# { header: 'X-Accel-Redirect', prefix: '${FILES}', root: '${site.files}' } })`,
        `location ${FILES} {`,
        indented(['internal;', `alias "${site.files}/";`]),
        '}',
      ],
    ]),
    '}',
  ];
}

function atRoot(site: Site, application: Line[]): Line[] {
  return [
    site.root !== undefined && [`location ${site.staticPath} {`, '}', ''],
    'location / {',
    indented(application),
    '}',
  ];
}

function atMount(site: Site, application: Line[]): Line[] {
  return [
    '# Give the application the same mount. What is not below it, nginx serves by itself.',
    `location ~ "(?s)^${escaped(site.mount)}(/.*)?$" {`,
    indented(application),
    '}',
    site.root === undefined && ['', 'location / {', indented(['return 404;']), '}'],
  ];
}

function application(site: Site, name: string, kept: boolean): Line[] {
  const pathInfo = site.mount === '' ? '$uri' : '$1';
  return [
    `fastcgi_pass ${name};`,
    kept && '# The connection stays open behind an answer.',
    kept && 'fastcgi_keep_conn on;',
    '',
    '# Request bodies. on: when they are complete. off: as they arrive, held back while the application does not read.',
    `fastcgi_request_buffering ${site.streamRequests ? 'off' : 'on'};`,
    '# Answers. on: kept for slow clients; one with the header X-Accel-Buffering: no is passed on as it comes. off: all are.',
    `fastcgi_buffering ${site.streamResponses ? 'off' : 'on'};`,
    '# The head of an answer must fit into the first buffer; 4 KiB, the default, is little for cookies.',
    'fastcgi_buffer_size 16k;',
    'fastcgi_buffers 8 16k;',
    '',
    PARAMS.map(([param, value]) => `fastcgi_param ${param.padEnd(17)} ${value};`),
    `fastcgi_param ${'SCRIPT_NAME'.padEnd(17)} "${site.mount}";`,
    `fastcgi_param ${'PATH_INFO'.padEnd(17)} ${pathInfo};`,
    site.root !== undefined && `fastcgi_param ${'DOCUMENT_ROOT'.padEnd(17)} $document_root;`,
    "# A Proxy header must not become a program's HTTP_PROXY (CVE-2016-5385).",
    `fastcgi_param ${'HTTP_PROXY'.padEnd(17)} "";`,
  ];
}

function identifier(name: string, value: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(value)) throw new TypeError(`${name}: ${value} is not a name`);
  return value;
}
