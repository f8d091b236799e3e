// What the service manager is told about the process: sd_notify(3), for units of Type=notify and notify-reload.

import { execFile } from 'node:child_process';

const PROGRAM = 'systemd-notify';
const PROGRAM_WITHIN = 5000; // ms
const MAX_WAITING = 16; // messages behind a program that takes its time
const MAX_TIMER = 2 ** 31 - 1; // ms; Node fires a longer timer at once

/** Sends one datagram with this text to a unix socket. A path that begins with @ is in the abstract namespace. May throw. */
export type SendDatagram = (path: string, text: string) => void;

export interface ServiceManagerOptions {
  /** Told why a message could not be sent. Nothing that goes wrong here ends or delays the process. */
  problem?: (error: Error) => void;
  /** Ours, to compare with WATCHDOG_PID. Default: process.pid. */
  pid?: number;
}

/**
 * The service manager that has started us, by the variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of an environment.
 * Says nothing where NOTIFY_SOCKET is unset. Without a function for the datagram (Node has none for unix sockets) each message is
 * a run of the program `systemd-notify`: one after the other, at most 16 waiting, at most 5000 ms each; a unit that does not run
 * as root then needs NotifyAccess=all.
 */
export class ServiceManager {
  readonly #environ: NodeJS.ProcessEnv;
  readonly #socket: string | undefined;
  readonly #send: SendDatagram;
  readonly #problem: (error: Error) => void;
  readonly #watchdogEvery: number | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #waiting = 0;
  #sent: Promise<void> = Promise.resolve();

  constructor(environ: NodeJS.ProcessEnv, send?: SendDatagram, options: ServiceManagerOptions = {}) {
    this.#environ = environ;
    this.#socket = environ['NOTIFY_SOCKET'] || undefined;
    this.#watchdogEvery = watchdogEvery(environ, options.pid ?? process.pid);
    this.#problem = options.problem ?? (() => {});
    this.#send = send ?? ((socket, text) => this.#runProgram(socket, text));
  }

  /** Whether there is one that listens. */
  get present(): boolean {
    return this.#socket !== undefined;
  }

  /** Take its variables out of the environment, so that what we start does not speak in our place. */
  forgetVariables(): void {
    for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete this.#environ[name];
  }

  /** We serve: after the start, and after each reloading(). */
  ready(status?: string): void {
    this.#notify(['READY=1', ...statusLine(status)]);
  }

  /** A reload begins; ready() must follow. */
  reloading(status?: string): void {
    const now = process.hrtime.bigint() / 1000n; // CLOCK_MONOTONIC, as Type=notify-reload asks for
    this.#notify(['RELOADING=1', `MONOTONIC_USEC=${now}`, ...statusLine(status)]);
  }

  /** We are about to end. */
  stopping(status?: string): void {
    this.#notify(['STOPPING=1', ...statusLine(status)]);
  }

  /** A line for people, seen in `systemctl status`. */
  status(text: string): void {
    this.#notify(statusLine(text));
  }

  /**
   * Say WATCHDOG=1 now and at half of WATCHDOG_USEC from then on, as sd_watchdog_enabled(3) recommends, until close(). Does
   * nothing where that is not set, or meant for another process.
   */
  startWatchdog(): void {
    if (this.#socket === undefined || this.#watchdogEvery === undefined || this.#watchdog !== undefined) return;
    const alive = (): void => this.#notify(['WATCHDOG=1']);
    this.#watchdog = setInterval(alive, this.#watchdogEvery).unref();
    alive();
  }

  /** Stop the watchdog's messages. Resolves when what was said so far has been sent, or has failed. */
  async close(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#watchdog = undefined;
    await this.#sent;
  }

  #notify(lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    try {
      this.#send(this.#socket, lines.join('\n'));
    } catch (error) {
      this.#problem(error as Error);
    }
  }

  #runProgram(socket: string, text: string): void {
    if (this.#waiting === MAX_WAITING) throw new Error(`${PROGRAM} is too slow; not said: ${text}`);
    this.#waiting++;
    const path = this.#environ['PATH'];
    this.#sent = this.#sent
      .then(() => runProgram(text, { PATH: path, NOTIFY_SOCKET: socket }))
      .then((error) => {
        this.#waiting--;
        if (error !== undefined) this.#problem(error);
      });
  }
}

/** Resolves to what has gone wrong. */
function runProgram(text: string, env: NodeJS.ProcessEnv): Promise<Error | undefined> {
  return new Promise((resolve) => {
    execFile(PROGRAM, text.split('\n'), { env, timeout: PROGRAM_WITHIN, killSignal: 'SIGKILL' }, (error) => {
      resolve(error === null ? undefined : new Error(`${PROGRAM} failed: ${error.message}`, { cause: error }));
    });
  });
}

function statusLine(text: string | undefined): string[] {
  // a line break would begin another variable
  // oxlint-disable-next-line no-control-regex
  return text === undefined ? [] : [`STATUS=${text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ')}`];
}

/** In ms. */
function watchdogEvery(environ: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: of } = environ;
  if (usec === undefined || !/^[1-9]\d*$/.test(usec)) return undefined;
  if (of !== undefined && of !== '' && of !== String(pid)) return undefined;
  return Math.min(Math.max(Number(usec) / 2000, 1), MAX_TIMER);
}
