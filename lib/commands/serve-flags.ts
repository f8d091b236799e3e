// The options of `postfork serve`.

import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Scaling, WorkerSettings } from '../prefork/index.ts';
import { DEFAULTS, type Limits } from '../server/index.ts';
import { atLeastOne, count, octal, positive } from './arguments.ts';
import { LOG_LEVELS } from './log.ts';

export interface ServeFlags extends Partial<Limits> {
  listen?: string;
  mount?: string;
  backlog?: number;
  allow?: string[];
  multiplex: boolean;

  method: 'spawn' | 'fork' | 'single';
  workers: number;
  scaling: Scaling['kind'];
  minSpare: number;
  maxSpare: number;
  maxWorkers?: number;
  workerIdle: number;
  maxRequests: number;
  maxRequestsJitter?: number;
  maxRequestsStrict?: boolean;
  forkGuard: 'warn' | 'refuse' | 'off';

  bootTimeout: number;
  workerTimeout: number;
  stopTimeout: number;

  daemonize?: boolean;
  pidFile?: string;
  user?: string;
  group?: string;
  umask?: number;
  chdir?: string;
  control: string | boolean;
  logLevel: string;
  logFile?: string;
  outFile?: string;

  /** The arguments of a program that listens by itself: `postfork run`. */
  run?: string[];
}

type Wear = Pick<WorkerSettings, 'maxRequests' | 'maxRequestsJitter' | 'maxRequestsStrict'>;

/** The limits that can be given on the command line, with what they mean. */
const LIMIT_FLAGS: Readonly<Partial<Record<keyof Limits, string>>> = {
  maxConnections: 'open connections',
  maxActiveRequests: 'requests at once; a further one gets a 503',
  maxRequestsPerConnection: 'requests at once on one connection',
  maxParamsBytes: "bytes of a request's PARAMS; more is a 431",
  headersTimeout: 'for a request to arrive, in ms',
  bodyTimeout: 'without a byte of a body that is waited for, in ms',
  requestTimeout: 'for a request to be answered, in ms; then it is a 504',
  writeTimeout: 'without progress in sending, in ms',
  idleTimeout: 'of a kept connection without a request, in ms',
};

export function addServeOptions(command: Command): Command {
  command
    .optionsGroup('Where:')
    .option(
      '-l, --listen <place>',
      'unix:/path[?mode=660&group=name], tcp:host:port, fd:0 or systemd (default: inherited)',
    )
    .option('-m, --mount <path>', 'path that the web server hands to the application, such as /app')
    .option('--backlog <n>', 'connections that may wait to be accepted', positive)
    .option('--allow <addresses...>', 'web servers that may connect by TCP: addresses or networks')
    .option('--no-multiplex', 'one request at a time on a connection')
    .optionsGroup('Workers:')
    .addOption(
      new Option(
        '--method <method>',
        'how workers are made: spawn loads the application in each, fork copies one that has',
      )
        .choices(['spawn', 'fork', 'single'])
        .default('spawn'),
    )
    .option('-w, --workers <n>', 'how many, or auto: one for each processor', workers, 1)
    .addOption(
      new Option('--scaling <kind>', 'whether their number changes')
        .choices(['static', 'dynamic', 'ondemand'])
        .default('static'),
    )
    .option('--min-spare <n>', 'dynamic: at least so many without a request', count, 1)
    .option('--max-spare <n>', 'dynamic: at most so many without a request', atLeastOne, 3)
    .option('--max-workers <n>', 'dynamic and ondemand: never more (default: 4 for each processor)', workers)
    .option('--worker-idle <ms>', 'ondemand: a worker without a request for so long leaves', positive, 10_000)
    .option('--max-requests <n>', 'replace a worker after so many requests; 0: never', count, 0)
    .option('--max-requests-jitter <n>', 'and at most so many more (default: a tenth of them)', count)
    .option('--max-requests-strict', 'not one more: it leaves with the last of them, before there is another worker')
    .addOption(
      new Option('--fork-guard <what>', 'fork: what to do about connections that the application opens while it loads')
        .choices(['warn', 'refuse', 'off'])
        .default('warn'),
    )
    .option('--boot-timeout <ms>', 'for a worker to be ready', positive, 30_000)
    .option('--worker-timeout <ms>', 'a worker whose event loop is blocked for so long is killed', positive, 30_000)
    .option('--stop-timeout <ms>', 'for running requests to end when a worker is to leave', positive, 30_000)
    .optionsGroup('Process:')
    .option('-D, --daemonize', 'leave the terminal once it serves')
    .option('-p, --pid-file <path>', "write the arbiter's process id there")
    .option('-u, --user <user>', 'what to be, by name or number, before the application is loaded')
    .option('-g, --group <group>', 'the same for the group; a unix socket belongs to it too')
    .option('--umask <mode>', 'permissions that new files do not get, such as 022', octal)
    .option('--chdir <folder>', 'where to be before the application is loaded')
    .option('--control <path>', 'socket for `postfork status` (default: in a folder of its own)')
    .option('--no-control', 'none')
    .addOption(new Option('--log-level <level>', 'how much to log').choices([...LOG_LEVELS]).default('info'))
    .option('--log-file <path>', 'log there instead of to stderr; reopened on USR1')
    .addOption(new Option('--out-file <path>', 'a daemon: where its stdout goes').hideHelp())
    .optionsGroup('Limits:');
  for (const [name, meaning] of Object.entries(LIMIT_FLAGS)) {
    const flag = name.replace(/[A-Z]/g, (char) => `-${char.toLowerCase()}`);
    const standard = DEFAULTS[name as keyof Limits];
    const shown = standard === Infinity ? 'none' : standard;
    command.option(`--${flag} <n>`, `${meaning} (default: ${shown})`, positive);
  }
  return command;
}

/** Throws RangeError where they contradict each other. */
export function scalingOf(flags: ServeFlags): Scaling {
  const maxWorkers = flags.maxWorkers ?? Math.max(4 * availableParallelism(), flags.workers);
  switch (flags.scaling) {
    case 'static':
      return { kind: 'static', workers: flags.workers };
    case 'dynamic': {
      const { workers: start, minSpare, maxSpare } = flags;
      return { kind: 'dynamic', workers: start, minSpare, maxSpare, maxWorkers };
    }
    case 'ondemand':
      return { kind: 'ondemand', maxWorkers, idleTimeout: flags.workerIdle };
  }
}

/** When workers are worn. Throws RangeError where the flags contradict each other. */
export function wearOf(flags: ServeFlags): Wear {
  const { method, maxRequests, maxRequestsJitter, maxRequestsStrict = false } = flags;
  if (!maxRequestsStrict) {
    return { maxRequests, maxRequestsJitter: maxRequestsJitter ?? Math.floor(maxRequests / 10), maxRequestsStrict };
  }
  const flag = '--max-requests-strict';
  if (method === 'single') throw new RangeError(`${flag} is for workers: --method single has none`);
  if (maxRequests === 0) throw new RangeError(`${flag} needs --max-requests, of 1 or more`);
  if (maxRequestsJitter !== undefined && maxRequestsJitter > 0) {
    throw new RangeError(`${flag} leaves no room for --max-requests-jitter ${maxRequestsJitter}`);
  }
  return { maxRequests, maxRequestsJitter: 0, maxRequestsStrict };
}

/** What of the flags is the server's. */
export function limitsOf(flags: ServeFlags): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const name of Object.keys(LIMIT_FLAGS) as (keyof Limits)[]) {
    const value = flags[name];
    if (value !== undefined) limits[name] = value;
  }
  return limits;
}

function workers(text: string): number {
  if (text === 'auto') return availableParallelism();
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1024) return value;
  throw new InvalidArgumentError('a number from 1 to 1024 is expected, or auto.');
}
