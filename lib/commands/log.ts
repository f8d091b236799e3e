// The process's log, by pino: lines for people on a terminal, JSON otherwise, on stderr or in a file.

import { createRequire } from 'node:module';
import { pino, stdSerializers, type Logger } from 'pino';
import type { prettyFactory } from 'pino-pretty';
import { LogDestination } from '../daemon/index.ts';

export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export interface LogOptions {
  level: string;
  /** A file to append to. Default: stderr; a web server that starts us gives /dev/null as stdout. */
  file?: string;
}

/** A log with the place it goes to. */
export interface Log extends Logger {
  readonly destination: LogDestination;
}

/** A log that cannot be written, for a full disk or a reader that is gone or stalls, never ends or blocks the process. */
export function createLog({ level, file }: LogOptions): Log {
  const destination = new LogDestination({
    ...(file !== undefined && { file }),
    ...(file === undefined && process.stderr.isTTY && { format: prettyFormat() }),
    dropped: (lines) => log.warn({ lines }, 'log lines were dropped: they could not be written in time'),
  });
  const log = Object.assign(pino({ level, serializers: { err: serializeError } }, destination), { destination });
  process.once('exit', () => destination.flush());
  return log;
}

/** Go on in new files of the same names, for logrotate. What cannot be opened goes on in the old file. */
export function reopen(log: Logger, ...destinations: readonly LogDestination[]): void {
  for (const destination of destinations) {
    try {
      destination.reopen();
    } catch (error) {
      log.error({ err: error }, 'not reopened');
    }
  }
}

/** pino writes the messages of an error's causes behind its own; those that say the same say it once. */
function serializeError(error: Error): unknown {
  const { cause } = error;
  const serialized = stdSerializers.err(error);
  if (cause instanceof Error && cause.message === error.message && serialized.message !== error.message) {
    serialized.message = error.message;
  }
  return serialized;
}

/** For people. Loaded where it is wanted: no worker does. */
function prettyFormat(): (line: string) => string {
  const pretty = createRequire(import.meta.url)('pino-pretty') as { prettyFactory: typeof prettyFactory };
  const format = pretty.prettyFactory({
    colorize: true,
    singleLine: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss',
  });
  return (line) => format(line) ?? '';
}
