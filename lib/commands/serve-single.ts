// `postfork serve --method single`: this process serves by itself.

import type { Logger } from 'pino';
import { dropPrivileges } from '../daemon/index.ts';
import { drainTimeoutAfterUncaught } from '../prefork/index.ts';
import { serve, type Serving } from '../serve.ts';
import { openListeningSocket, type ListeningSocket } from '../server/index.ts';
import { BOOT_FAILED, CommandError } from './exit-codes.ts';
import { loadApplication, loadProgram } from './load-application.ts';
import { loadErrorText } from './load-error.ts';
import { reopen } from './log.ts';
import { isRestricted, placeOf, type ServeContext } from './serve-context.ts';
import { limitsOf, wearOf, type ServeFlags } from './serve-flags.ts';

const LEFT = 100; // ms for what the application has left behind; it would keep the process
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
  let serving: Serving | undefined;
  const onStopping = (): void => manager.stopping();
  process.on('SIGHUP', () => log.warn({}, 'one process cannot reload: use --method spawn, or restart it'));
  process.on('SIGUSR1', () => reopen(log, log.destination));
  let onLoadFailed: (error: unknown) => void = () => {};
  const failed = new Promise<never>((_resolve, reject) => (onLoadFailed = reject));
  failed.catch(() => {}); // it may come when nobody loads any more
  const { stopTimeout } = flags;
  stopOnSignals(() => starting, socket, { stopTimeout, log, serving: () => serving, onLoadFailed, onStopping });
  try {
    if (drops) await socket.publish();
    dropPrivileges(identity);
    const application = await Promise.race([loaded(file, flags.run), failed]).catch((error: unknown) => {
      throw new CommandError(loadErrorText(error, file), BOOT_FAILED, { cause: error });
    });
    if (flags.mount !== undefined) application.mountAt(flags.mount);
    process.title = `postfork: ${file}`;
    const options = {
      ...limitsOf(flags),
      multiplex,
      ...(allow && { allow }),
      ...(backlog !== undefined && { backlog }),
    };
    starting = serve(application, { ...options, listen: `fd:${socket.fd}`, log });
    serving = await starting;
    if (!drops) await socket.publish();
  } catch (error) {
    await socket.remove();
    await starting?.then((serving) => serving.close({ timeout: 0 })).catch(() => {}); // the error that matters is the first
    setTimeout(() => process.exit(), LEFT).unref();
    throw error;
  }
  log.info({ at: socket.at }, `serving ${file}`);
  context.onServing();
}

function loaded(file: string, run: readonly string[] | undefined): ReturnType<typeof loadApplication> {
  return run === undefined ? loadApplication(file) : loadProgram(file, run);
}

interface StopOptions {
  stopTimeout: number;
  log: Logger;
  serving(): Serving | undefined;
  onLoadFailed(error: unknown): void;
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
    if (isStopping) process.exit(exitCode || Number((options.serving()?.server.requests ?? 0) > 0));
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
    if (starting() === undefined && !isStopping) return options.onLoadFailed(error);
    const serving = options.serving();
    const known = serving?.fail(error) === true;
    if (!known) log.fatal({ err: error }, 'an error outside of any request');
    const timeout = drainTimeoutAfterUncaught(stopTimeout, known);
    if (isStopping) void serving?.close({ timeout });
    else stop('its state is not known any more', timeout, 1);
  };
  process.on('uncaughtException', failed);
  process.on('unhandledRejection', failed);
}
