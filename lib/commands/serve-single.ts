// `postfork serve --method single`: this process serves by itself.

import type { Logger } from 'pino';
import { dropPrivileges } from '../daemon/index.ts';
import { serve, type Serving } from '../serve.ts';
import { openListeningSocket, type ListeningSocket } from '../server/index.ts';
import { BOOT_FAILED, CommandError } from './exit-codes.ts';
import { loadApplication, loadProgram } from './load-application.ts';
import { reopen } from './log.ts';
import { isRestricted, placeOf, type ServeContext } from './serve-context.ts';
import { limitsOf, wearOf, type ServeFlags } from './serve-flags.ts';

const STOP_GRACE = 10_000; // ms for receivers to end once everything else has

export async function serveSingle(file: string, flags: ServeFlags, context: ServeContext): Promise<void> {
  const { log, identity, manager } = context;
  const { listen, allow, backlog, multiplex } = flags;
  wearOf(flags);
  const place = placeOf(listen, identity);
  // Bound first, and with another user to become also in place: afterwards this process may have no right to.
  const socket = await openListeningSocket(place, { restricted: isRestricted(allow) });
  const drops = identity.uid !== undefined && identity.uid !== process.getuid?.();
  let starting: Promise<Serving> | undefined;
  const onStopping = (): void => manager.stopping();
  process.on('SIGHUP', () => log.warn({}, 'one process cannot reload: use --method spawn, or restart it'));
  process.on('SIGUSR1', () => reopen(log, log.destination));
  stopOnSignals(() => starting, socket, { stopTimeout: flags.stopTimeout, log, onStopping });
  try {
    if (drops) await socket.publish();
    dropPrivileges(identity);
    const application = await loaded(file, flags.run);
    if (flags.mount !== undefined) application.mountAt(flags.mount);
    process.title = `postfork: ${file}`;
    const options = {
      ...limitsOf(flags),
      multiplex,
      ...(allow && { allow }),
      ...(backlog !== undefined && { backlog }),
    };
    starting = serve(application, { ...options, listen: `fd:${socket.fd}`, log });
    await starting;
    if (!drops) await socket.publish();
  } catch (error) {
    await socket.remove();
    await starting?.then((serving) => serving.close({ timeout: 0 })).catch(() => {}); // the error that matters is the first
    throw error;
  }
  log.info({ at: socket.at }, `serving ${file}`);
  context.onServing();
}

async function loaded(file: string, run: readonly string[] | undefined): ReturnType<typeof loadApplication> {
  try {
    return await (run === undefined ? loadApplication(file) : loadProgram(file, run));
  } catch (error) {
    throw new CommandError((error as Error).message, BOOT_FAILED, { cause: error });
  }
}

interface StopOptions {
  stopTimeout: number;
  log: Logger;
  onStopping(): void;
}

/**
 * What to do when told to stop, and when the application has failed outside of any request. While it is loaded, `starting` has
 * nothing that would have to be waited for.
 */
function stopOnSignals(
  starting: () => Promise<Serving> | undefined,
  socket: ListeningSocket,
  options: StopOptions,
): void {
  const { stopTimeout, log } = options;
  let isStopping = false;
  const stop = (why: string, timeout: number, exitCode: number): void => {
    if (isStopping) process.exit(exitCode || 1);
    isStopping = true;
    log.info({}, `stopping: ${why}`);
    options.onStopping();
    const stopped = socket.remove().then(async () => (await starting())?.close({ timeout }));
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
    if (!isStopping) stop('its state is not known any more', stopTimeout, starting() === undefined ? BOOT_FAILED : 1);
  };
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
}
