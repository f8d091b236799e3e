// `postfork runfcgi`: the options of Django's old command of that name, for deployments as they were.

import { resolve } from 'node:path';
import { Command } from 'commander';
import { inheritedListener } from '../server/index.ts';
import { addServeOptions, type ServeFlags } from './serve-flags.ts';
import { runServe } from './serve.ts';

const OPTIONS: Readonly<Record<string, string>> = {
  protocol: 'fcgi; the others that flup knew are not spoken',
  method: 'prefork (default): workers by fork; threaded: one process',
  host: 'TCP address to listen on, with port',
  port: 'TCP port',
  socket: 'unix socket to listen on (default, without host and port: descriptor 0)',
  maxrequests: 'requests that a worker serves, exactly; then it is replaced; 0 (default): never',
  minspare: 'at least so many workers without a request (default 2)',
  maxspare: 'at most so many (default 5)',
  maxchildren: 'never more workers (default 50)',
  daemonize: 'whether to leave the terminal (default: yes where there is a host or a socket)',
  pidfile: 'file for the process id',
  workdir: 'where a daemon is (default /)',
  outlog: 'file for what a daemon writes to stdout',
  errlog: 'file for the log and what a daemon writes to stderr',
  umask: 'permissions that new files of a daemon do not get (default 022)',
  debug: 'yes: log everything',
};

export function runfcgiCommand(): Command {
  const width = Math.max(...Object.keys(OPTIONS).map((name) => name.length));
  return new Command('runfcgi')
    .description("serve as Django's `manage.py runfcgi` did, with its options")
    .argument('<application>', 'module of the application')
    .argument('[key=value...]', 'options')
    .addHelpText(
      'after',
      `
Options:
${Object.entries(OPTIONS)
  .map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`)
  .join('\n')}

Examples:
  $ postfork runfcgi app.mjs method=prefork socket=/tmp/app.sock maxrequests=1 daemonize=false
  $ postfork runfcgi app.mjs method=threaded host=127.0.0.1 port=3033 pidfile=/tmp/app.pid`,
    )
    .action(async (application: string, pairs: string[]) => {
      const serve = addServeOptions(new Command('serve')).argument('<application>');
      serve.action((file: string, flags: ServeFlags) => {
        if (flags.listen === undefined && inheritedListener() === undefined) {
          throw new TypeError('nowhere to listen: give socket=/tmp/app.sock, or host=127.0.0.1 port=3033');
        }
        return runServe(file, flags);
      });
      await serve.parseAsync([resolve(application), ...serveArguments(pairs)], { from: 'user' });
    });
}

/**
 * Arguments of `postfork serve` for Django's, with its defaults (Django 1.1, core/servers/fastcgi.py). Throws TypeError that
 * names what there is.
 */
export function serveArguments(pairs: readonly string[]): string[] {
  const given = optionsOf(pairs);
  const { protocol = 'fcgi', method = 'prefork', umask, pidfile, errlog, outlog, debug } = given;
  if (protocol !== 'fcgi') throw new TypeError(`protocol=${protocol}: only fcgi is spoken`);
  const place = placeOf(given);
  const args = place === undefined ? [] : ['--listen', place];
  const daemonize = given['daemonize'] === undefined ? place !== undefined : yes('daemonize', given['daemonize']);
  if (daemonize) args.push('--daemonize', '--chdir', given['workdir'] ?? '/', '--umask', umask ?? '022');
  else if (umask !== undefined) args.push('--umask', umask);
  if (pidfile !== undefined) args.push('--pid-file', resolve(pidfile));
  if (errlog !== undefined) args.push('--log-file', resolve(errlog));
  if (outlog !== undefined) args.push('--out-file', resolve(outlog));
  if (debug !== undefined && yes('debug', debug)) args.push('--log-level', 'debug');
  return [...args, ...methodArguments(method, given)];
}

function methodArguments(method: string, given: Readonly<Record<string, string>>): string[] {
  if (method === 'threaded' || method === 'thread') return ['--method', 'single'];
  if (method !== 'prefork' && method !== 'fork') throw new TypeError(`method=${method}: write prefork or threaded`);
  const { minspare = '2', maxspare = '5', maxchildren = '50', maxrequests = '0' } = given;
  const start = Number(maxchildren) < Number(maxspare) ? maxchildren : maxspare; // flup begins with maxspare
  const spare = ['--workers', start, '--min-spare', minspare, '--max-spare', maxspare, '--max-workers', maxchildren];
  // As in flup: a child serves so many and not one more.
  const requests = ['--max-requests', maxrequests, Number(maxrequests) > 0 ? '--max-requests-strict' : ''].filter(
    Boolean,
  );
  return ['--method', 'fork', '--scaling', 'dynamic', ...spare, ...requests];
}

function placeOf({ host, port, socket, umask }: Readonly<Record<string, string>>): string | undefined {
  if (host !== undefined && port !== undefined && socket === undefined) {
    return `tcp:${host.includes(':') ? `[${host}]` : host}:${port}`;
  }
  if (host !== undefined || port !== undefined) {
    throw new TypeError('give host and port, or socket, or none of them to serve on descriptor 0');
  }
  if (socket === undefined) return undefined;
  // The umask was what let web servers in: a socket's mode was what it left of 777.
  const mode = umask === undefined ? '' : `?mode=${(0o777 & ~parseInt(umask, 8)).toString(8).padStart(3, '0')}`;
  return `unix:${resolve(socket)}${mode}`;
}

function optionsOf(pairs: readonly string[]): Record<string, string> {
  const options: Record<string, string> = {};
  for (const pair of pairs) {
    const [, name = '', value = 'true'] = /^([^=]*)(?:=(.*))?$/s.exec(pair) ?? []; // Django takes a bare word for true
    if (!Object.hasOwn(OPTIONS, name)) {
      throw new TypeError(`${name} is not an option of runfcgi; there are ${Object.keys(OPTIONS).join(', ')}`);
    }
    options[name] = value;
  }
  const { umask } = options;
  if (umask !== undefined && !/^[0-7]{1,4}$/.test(umask)) throw new TypeError(`umask=${umask}: write it in octal, 022`);
  return options;
}

function yes(name: string, value: string): boolean {
  if (/^(true|yes|t)$/i.test(value)) return true;
  if (/^(false|no|f)$/i.test(value)) return false;
  throw new TypeError(`${name}=${value}: write yes or no`);
}
