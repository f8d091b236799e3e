// `postfork serve`: one process that serves an application until it is told to stop.

import { Command, Option } from 'commander';
import type { Logger } from 'pino';
import { serve, type Serving } from '../serve.ts';
import { DEFAULTS, type Limits } from '../server/index.ts';
import { positive } from './arguments.ts';
import { loadApplication } from './load-application.ts';
import { createLog, LOG_LEVELS } from './log.ts';

const STOP_GRACE = 10_000; // ms for receivers to end once everything else has

interface ServeFlags extends Partial<Limits> {
  listen?: string;
  mount?: string;
  backlog?: number;
  allow?: string[];
  multiplex: boolean;
  stopTimeout: number;
  logLevel: string;
}

/** The limits that can be given on the command line, with what they mean. */
const LIMIT_FLAGS: Readonly<Partial<Record<keyof Limits, string>>> = {
  maxConnections: 'open connections',
  maxRequests: 'requests at once; a further one gets a 503',
  maxRequestsPerConnection: 'requests at once on one connection',
  maxParamsBytes: "bytes of a request's PARAMS; more is a 431",
  headersTimeout: 'for a request to arrive, in ms',
  bodyTimeout: 'without a byte of a body that is waited for, in ms',
  writeTimeout: 'without progress in sending, in ms',
  idleTimeout: 'of a kept connection without a request, in ms',
};

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve an application by FastCGI')
    .argument('<application>', 'module whose default export is an Application, or a function that answers a request')
    .option(
      '-l, --listen <place>',
      'unix:/path[?mode=660&group=name], tcp:host:port, fd:0 or systemd (default: inherited)',
    )
    .option('-m, --mount <path>', 'path that the web server hands to the application, such as /app')
    .option('--backlog <n>', 'connections that may wait to be accepted', positive)
    .option('--allow <addresses...>', 'web servers that may connect by TCP: addresses or networks')
    .option('--no-multiplex', 'one request at a time on a connection')
    .option('--stop-timeout <ms>', 'for running requests to end after SIGTERM', positive, 30_000)
    .addOption(new Option('--log-level <level>', 'how much to log').choices([...LOG_LEVELS]).default('info'));
  for (const [name, meaning] of Object.entries(LIMIT_FLAGS)) {
    const flag = name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`);
    const standard = DEFAULTS[name as keyof Limits];
    command.option(`--${flag} <n>`, `${meaning} (default: ${standard})`, positive);
  }
  return command
    .addHelpText(
      'after',
      `
Signals: TERM finishes the requests that run and exits; INT and QUIT abort them; a second one exits at once.
The log goes to stderr: JSON, or readable lines on a terminal.

Examples:
  $ postfork serve app.ts --listen unix:/run/app.sock
  $ postfork serve app.mjs --listen 'unix:/run/app.sock?mode=660&group=www-data' --mount /app
  $ postfork serve app.mjs                  started by lighttpd (bin-path) or systemd, on their socket`,
    )
    .action((application: string, flags: ServeFlags) => run(application, flags));
}

async function run(file: string, flags: ServeFlags): Promise<void> {
  const log = createLog(flags.logLevel);
  const application = await loadApplication(file);
  if (flags.mount !== undefined) application.mountAt(flags.mount);
  const { listen, stopTimeout, mount: _mount, logLevel: _level, ...options } = flags;
  const starting = serve(application, { ...options, ...(listen !== undefined && { listen }), log });
  stopOnSignals(starting, stopTimeout, log);
  log.info({ at: (await starting).at }, `serving ${file}`);
}

/** What to do when told to stop, and when the application has failed outside of any request. */
function stopOnSignals(starting: Promise<Serving>, stopTimeout: number, log: Logger): void {
  let stopping = false;
  const stop = (why: string, timeout: number, exitCode: number): void => {
    if (stopping) process.exit(exitCode || 1);
    stopping = true;
    log.info({}, `stopping: ${why}`);
    const stopped = starting.then((serving) => serving.close({ timeout }));
    setTimeout(() => {
      log.fatal({}, 'stopping takes too long: a receiver of request_finished or worker_stopping does not end');
      process.exit(1);
    }, timeout + STOP_GRACE).unref();
    stopped.then(
      () => {
        log.info({}, 'stopped');
        process.exit(exitCode);
      },
      (error: unknown) => {
        log.fatal({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM', stopTimeout, 0));
  process.on('SIGINT', () => stop('SIGINT', 0, 0));
  process.on('SIGQUIT', () => stop('SIGQUIT', 0, 0));
  const failed = (error: unknown): void => {
    log.fatal({ err: error }, 'an error outside of any request');
    if (!stopping) stop('its state is not known any more', stopTimeout, 1);
  };
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
}
