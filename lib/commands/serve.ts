// `postfork serve`: an application served by workers, or by this one process, until it is told to stop.

import { resolve } from 'node:path';
import { Command } from 'commander';
import { daemonize, daemonLauncher, resolveUser, writePidFile, type DaemonLauncher } from '../daemon/index.ts';
import { CommandError } from './exit-codes.ts';
import { createLog } from './log.ts';
import { addServeOptions, type ServeFlags } from './serve-flags.ts';
import type { ServeContext } from './serve-context.ts';
import { serviceManager } from './service-manager.ts';

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve an application by FastCGI')
    .argument('<application>', 'module whose default export is an Application, or a function that answers a request');
  return addServeOptions(command)
    .addHelpText(
      'after',
      `
OS signals: TERM finishes what runs and exits, INT and QUIT abort it, a second one hurries. HUP replaces the workers by new ones
of the code as it is now, without losing a request. TTIN and TTOU: one worker more, one less. USR1 reopens the log file.
Exit codes: 0 stopped as told, 1 cannot run, or was hurried and left requests unanswered, 3 the application does not start.
The log goes to stderr: JSON, or readable lines on a terminal.

Examples:
  $ postfork serve app.ts --listen unix:/run/app.sock --workers auto
  $ postfork serve app.mjs --listen 'unix:/run/app.sock?mode=660&group=www-data' --user app --mount /app
  $ postfork serve app.mjs --listen tcp:127.0.0.1:9000 --method fork --scaling dynamic --max-requests 1000
  $ postfork serve app.mjs                  started by lighttpd (bin-path) or systemd, on their socket`,
    )
    .action((application: string, flags: ServeFlags) => runServe(application, flags));
}

/** Serve until told to stop; the process ends with it. Rejects where it cannot. */
export async function runServe(file: string, flags: ServeFlags): Promise<void> {
  const launcher = daemonLauncher();
  if (flags.daemonize === true && launcher === undefined) {
    const { outFile, logFile, chdir = '.' } = flags;
    return daemonize({
      ...(outFile !== undefined && { outlog: resolve(chdir, outFile) }),
      ...(logFile !== undefined && { errlog: resolve(chdir, logFile) }),
    });
  }
  try {
    await runHere(file, flags, launcher);
  } catch (error) {
    const exitCode = error instanceof CommandError ? error.exitCode : 1;
    launcher?.failed(`postfork: ${(error as Error).message}`, exitCode);
    throw error;
  }
}

async function runHere(file: string, flags: ServeFlags, launcher: DaemonLauncher | undefined): Promise<void> {
  if (flags.chdir !== undefined) process.chdir(flags.chdir);
  if (flags.umask !== undefined) process.umask(flags.umask);
  const log = createLog({ level: flags.logLevel, ...(flags.logFile !== undefined && { file: flags.logFile }) });
  const { user, group } = flags;
  const identity = resolveUser({ ...(user !== undefined && { user }), ...(group !== undefined && { group }) });
  const manager = serviceManager(log);
  const pidFile = flags.pidFile === undefined ? undefined : writePidFile(flags.pidFile);
  process.once('exit', () => pidFile?.remove());
  const onServing = (): void => {
    manager.ready();
    manager.startWatchdog();
    launcher?.ready();
  };
  const context: ServeContext = { log, identity, manager, onServing };
  if (flags.method === 'single') {
    const { serveSingle } = await import('./serve-single.ts');
    await serveSingle(file, flags, context);
  } else {
    const { serveWorkers } = await import('./serve-workers.ts'); // the arbiter loads nothing of what workers do
    await serveWorkers(file, flags, context);
  }
}
