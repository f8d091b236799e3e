// The process's log, by pino: lines for people on a terminal, JSON otherwise, always on stderr.

import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

const STDERR = 2; // a web server that starts us gives /dev/null as stdout

/** A log that cannot be written, for a full disk or a reader that is gone, never ends the process. */
export function createLog(level: string): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: STDERR, sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' })
    : pino.destination({ fd: STDERR, sync: true });
  destination.on('error', () => {});
  return pino({ level }, destination);
}
