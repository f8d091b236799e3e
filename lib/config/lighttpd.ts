// lighttpdConfig(): a whole lighttpd 1.4 configuration for an application.

import { quotable, siteOf, type Site, type SiteOptions } from './site.ts';
import { escaped, indented, text, type Line } from './text.ts';

export interface LighttpdOptions extends SiteOptions {
  /**
   * Have lighttpd start the application and hand it the listening socket as descriptor 0: the program and its arguments.
   * The path of `to`, a unix socket, is then lighttpd's own. Default: the application is running.
   */
  spawn?: readonly string[];
  /** With `spawn`: variables of the application's environment, besides PATH. Default: NODE_ENV=production. */
  environment?: Readonly<Record<string, string>>;
}

/** For `lighttpd -D -f FILE`. Throws TypeError for options that no configuration can be made of. */
export function lighttpdConfig(options: LighttpdOptions): string {
  const site = siteOf(options);
  return text([
    '# lighttpd 1.4 in front of a FastCGI application.',
    '#   check it:  lighttpd -tt -f THIS_FILE',
    '#   run it:    lighttpd -D -f THIS_FILE      (Ctrl-C ends it)',
    '# Messages go to stderr; set server.errorlog for a file. The application writes there too, by its STDERR records.',
    '',
    'server.modules = ( "mod_fastcgi" )',
    '',
    `server.port = ${site.port}`,
    site.host !== undefined && `server.bind = "${site.host.includes(':') ? `[${site.host}]` : site.host}"`,
    site.serverName !== undefined && `server.name = "${site.serverName}"`,
    '# lighttpd asks for a folder even where it serves no files.',
    `server.document-root = "${site.root ?? '/var/empty'}"`,
    site.root !== undefined && mimeTypes(),
    '',
    '# KiB of a request body that may pass; the application limits each by itself (bodyLimit).',
    `server.max-request-size = ${Math.ceil(site.maxBody / 1024)}`,
    '# Bytes of all header fields of a request; more is a 431.',
    'server.max-request-field-size = 32768',
    '',
    streaming(site),
    '',
    mounted(site, fastcgi(site, options)),
  ]);
}

function streaming(site: Site): Line[] {
  return [
    '# Request bodies. 0: the application gets them when they are complete, with their length, chunked uploads too.',
    '# 2: as they arrive, held back while the application does not read; chunked uploads are then refused with 411.',
    `server.stream-request-body = ${site.streamRequests ? 2 : 0}`,
    '# Answers. 0: kept until they are complete (nothing streams). 1: passed on as they come, and kept in temporary',
    '# files for slow clients, so that the application is done sooner. 2: passed on, and the application waits for slow',
    '# clients. lighttpd tells the application that a client has gone when it writes to that client, not before.',
    `server.stream-response-body = ${site.streamResponses ? 2 : 1}`,
  ];
}

/** The part of the paths that is the application's. */
function mounted(site: Site, server: Line[]): Line[] {
  if (site.mount !== '') {
    const note = '# Give the application the same mount. What is not below it, lighttpd serves by itself.';
    return [note, `$HTTP["url"] =~ "^${escaped(site.mount)}(?:/|$)" {`, indented(server), '}'];
  }
  if (site.root === undefined) return server;
  const pattern = `^${escaped(site.staticPath)}`;
  return [
    `# Everything but the files below ${site.staticPath}.`,
    `$HTTP["url"] !~ "${pattern}" {`,
    indented(server),
    '}',
  ];
}

function fastcgi(site: Site, options: LighttpdOptions): Line[] {
  return [
    `fastcgi.server = ( "${site.mount || '/'}" => ((`,
    indented([
      options.spawn === undefined ? running(site) : spawned(site, options.spawn, options.environment),
      '# The application answers for every path, not only where there is a file of that name.',
      '"check-local" => "disable",',
      site.mount === '' && '# At the root: an empty SCRIPT_NAME, and the path in PATH_INFO (RFC 3875, 4.1.5).',
      site.mount === '' && '"fix-root-scriptname" => "enable",',
      site.files !== undefined && [
        "# sendFile(request, path, { sendfile: 'X-Sendfile' }): the application names a file below these folders, lighttpd sends it.",
        '"x-sendfile" => "enable",',
        `"x-sendfile-docroot" => ( "${site.files}" ),`,
      ],
    ]),
    ')))',
  ];
}

function running({ to }: Site): Line[] {
  if (to.kind === 'tcp') return [`"host" => "${to.host}",`, `"port" => ${to.port},`];
  return [
    '# lighttpd must be allowed to write to it: mode 660 and its group (--listen unix:...?mode=660&group=...).',
    `"socket" => "${to.path}",`,
  ];
}

function spawned({ to }: Site, command: readonly string[], environment?: Readonly<Record<string, string>>): Line[] {
  if (to.kind !== 'unix') throw new TypeError('to: an application that lighttpd starts needs a unix socket');
  const odd = command.find((word) => word === '' || /\s/.test(word));
  if (command.length === 0 || odd !== undefined) {
    throw new TypeError(
      `spawn: ${JSON.stringify(odd ?? '')}: lighttpd parts the command at white space and knows no quotes`,
    );
  }
  return [
    '# lighttpd makes the socket (its name gets a number behind it), starts the program with it as descriptor 0, starts',
    '# it again if it dies, and ends it by kill-signal: SIGTERM lets running requests end.',
    `"socket" => "${to.path}",`,
    `"bin-path" => "${quotable('spawn', command.join(' '))}",`,
    '"max-procs" => 1,',
    '"kill-signal" => 15,',
    '# Nothing else of the environment of lighttpd gets through.',
    '"bin-copy-environment" => ( "PATH" ),',
    '"bin-environment" => (',
    indented(
      Object.entries(environment ?? { NODE_ENV: 'production' }).map(
        ([name, value]) => `"${quotable('environment', name)}" => "${quotable('environment', value)}",`,
      ),
    ),
    '),',
  ];
}

/** Without it lighttpd serves every file as application/octet-stream. */
function mimeTypes(): Line[] {
  return [
    'mimetype.assign = (',
    indented([
      '".html" => "text/html; charset=utf-8", ".css" => "text/css; charset=utf-8", ".js" => "text/javascript; charset=utf-8",',
      '".mjs" => "text/javascript; charset=utf-8", ".json" => "application/json", ".svg" => "image/svg+xml",',
      '".png" => "image/png", ".jpg" => "image/jpeg", ".gif" => "image/gif", ".webp" => "image/webp", ".ico" => "image/x-icon",',
      '".woff2" => "font/woff2", ".pdf" => "application/pdf", ".txt" => "text/plain; charset=utf-8",',
      '"" => "application/octet-stream",',
    ]),
    ')',
  ];
}
