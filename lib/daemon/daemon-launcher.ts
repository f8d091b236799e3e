// In a daemon: the process that has launched it and waits for its word.

import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';

/** Says which descriptors lead to the launching process: "3", or "3,2" where stderr is one too. */
export const VARIABLE = 'POSTFORK_DAEMON_DESCRIPTORS';
export const DESCRIPTOR = 3;
export const STDERR = 2;

/** A line of JSON on the pipe. */
export type Message = { ready: true } | { failed: string; exitCode: number };

/** The process that has launched this one as a daemon. Only the first word counts. */
export interface DaemonLauncher {
  /** We serve: it leaves, with exit code 0. From here on stderr is the errlog or /dev/null. */
  ready(): void;
  /** We cannot serve: what it prints and exits with. Ending this process is left to the caller. */
  failed(message: string, exitCode: number): void;
}

/**
 * The process that waits for us to serve, where startDaemon() has started this one; undefined otherwise. To be called early and
 * once: it takes the variable out of the environment, so that what we start does not take itself for the daemon.
 */
export function daemonLauncher(environ: NodeJS.ProcessEnv = process.env): DaemonLauncher | undefined {
  const value = environ[VARIABLE];
  delete environ[VARIABLE];
  if (value === undefined || !leadsToSomebody(DESCRIPTOR)) return undefined;
  let said = false;
  const say = (message: Message): void => {
    if (said) return;
    said = true;
    try {
      writeSync(DESCRIPTOR, `${JSON.stringify(message)}\n`);
    } catch {
      // it was killed: nobody waits any more
    }
    closeSync(DESCRIPTOR);
  };
  return {
    ready: () => {
      if (!said && value === `${DESCRIPTOR},${STDERR}`) leaveStderr(); // before nobody reads it any more
      say({ ready: true });
    },
    failed: (message, exitCode) => say({ failed: message, exitCode }),
  };
}

/** Node has no dup2(2), but a new descriptor is the lowest free one. */
function leaveStderr(): void {
  closeSync(STDERR);
  openSync('/dev/null', 'a');
}

/** Whether it is a pipe, or the socket that Node makes for one: not a file that has come to that place by chance. */
function leadsToSomebody(descriptor: number): boolean {
  try {
    const found = fstatSync(descriptor, { bigint: true }); // see log-file.ts
    return found.isSocket() || found.isFIFO();
  } catch {
    return false;
  }
}
