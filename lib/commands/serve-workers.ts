// `postfork serve --method spawn|fork`: this process is the arbiter. It holds the listening socket and serves nothing itself.

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { controlFolder, controlPath, LogDestination, makeControlFolder, serveControl } from '../daemon/index.ts';
import {
  Arbiter,
  blockedStack,
  BootError,
  buildNative,
  findNative,
  loadNative,
  spawnSource,
  whenWaiting,
  ZygoteSource,
  type Program,
  type Scaling,
  type WorkerSettings,
  type WorkerSource,
} from '../prefork/index.ts';
import { openListeningSocket } from '../server/index.ts';
import { BOOT_FAILED, CommandError } from './exit-codes.ts';
import { reopen, type Log } from './log.ts';
import { isRestricted, placeOf, type ServeContext } from './serve-context.ts';
import { limitsOf, scalingOf, wearOf, type ServeFlags } from './serve-flags.ts';
import type { ServeStatus } from './status.ts';
import { WorkerOutput } from './worker-output.ts';
import type { ApplicationSettings } from './worker-process.ts';

const WORKER = fileURLToPath(new URL('../worker.js', import.meta.url));
// Of the young generation, which does not grow (see cli.ts): with what a framework such as Express makes for each of 32 requests
// the 1 MiB of Node is full of what still lives (bench/frameworks.ts, json). The user's own flags come behind it.
const HEAP = ['--min-semi-space-size=2'];

export async function serveWorkers(file: string, flags: ServeFlags, context: ServeContext): Promise<void> {
  const { log, identity, manager } = context;
  process.title = `postfork: arbiter ${basename(file)}`;
  const scaling = scalingOf(flags);
  const settings = settingsOf(file, flags, context);
  const socket = await openListeningSocket(placeOf(flags.listen, identity), { restricted: isRestricted(flags.allow) });
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete process.env[name]; // they were meant for us
  const stdout = flags.outFile === undefined ? undefined : new LogDestination({ file: flags.outFile });
  const output = new WorkerOutput(log, stdout);
  const program: Program = { file: WORKER, execArgv: [...HEAP, ...process.execArgv], settings, listener: socket.fd };
  const arbiter = new Arbiter({
    ...flags,
    scaling,
    log,
    source: await sourceOf(flags, program, log, output),
    onWorker: (worker) => output.add(worker),
    stackOf: async ({ pid, inspectable }) =>
      inspectable ? blockedStack({ pid, stderr: (listener) => output.listen(pid, listener) }) : undefined,
    onWaiting: (callback) => whenWaiting(socket.fd, callback),
  });
  const status = (): ServeStatus => ({ ...arbiter.status(), at: socket.at, application: file, method: flags.method });
  const control = await openControl(flags.control, log, status);

  let stopping: Promise<void> | undefined;
  let removed: Promise<void> | undefined;
  const stop = (timeout: number): Promise<void> => {
    removed ??= socket.remove(); // first: nobody is to wait for workers that do not accept any more
    const stopped = removed.catch(() => {}).then(() => arbiter.stop(timeout));
    stopping ??= Promise.all([removed, stopped]).then(async () => {
      await control?.close();
      await manager.close();
    });
    return stopping;
  };
  let hurried = false;
  const onSignal = (signal: NodeJS.Signals, timeout: number): void => {
    log.info({}, `stopping: ${signal}`);
    if (stopping !== undefined) {
      hurried = true;
      void stop(0);
      return;
    }
    manager.stopping();
    void stop(timeout).then(() => {
      log.info({}, 'stopped');
      process.exit(hurried && arbiter.unfinished ? 1 : 0);
    });
  };
  process.on('SIGTERM', () => onSignal('SIGTERM', flags.stopTimeout));
  process.on('SIGINT', () => onSignal('SIGINT', 0));
  process.on('SIGQUIT', () => onSignal('SIGQUIT', 0));
  process.on('SIGHUP', () => {
    log.info({}, 'reloading');
    manager.reloading();
    arbiter
      .reload()
      .then(() => log.info({}, 'reloaded'))
      .catch((error: Error) => log.error({ err: error }, 'not reloaded, the workers there are serve on'))
      .finally(() => manager.ready());
  });
  process.on('SIGTTIN', () => arbiter.resize(1));
  process.on('SIGTTOU', () => arbiter.resize(-1));
  process.on('SIGUSR1', () => reopen(log, log.destination, ...(stdout ? [stdout] : [])));

  try {
    await arbiter.start();
    if (stopping !== undefined) return;
    await socket.publish();
  } catch (error) {
    if (stopping !== undefined) return;
    await stop(0);
    if (error instanceof BootError) throw new CommandError(error.message, BOOT_FAILED, { cause: error });
    throw error;
  }
  log.info({ at: socket.at, workers: arbiter.status().workers.length }, `serving ${file}`);
  context.onServing();
}

function settingsOf(file: string, flags: ServeFlags, { identity }: ServeContext): WorkerSettings {
  const { mount, allow, backlog, multiplex, logLevel, stopTimeout, forkGuard } = flags;
  const application: ApplicationSettings = {
    file,
    ...(flags.run !== undefined && { run: flags.run }),
    logLevel,
    identity,
    ...(mount !== undefined && { mount }),
    serve: {
      ...limitsOf(flags),
      multiplex,
      workers: mostWorkers(scalingOf(flags)),
      ...(allow !== undefined && { allow }),
      ...(backlog !== undefined && { backlog }),
    },
  };
  const handOver = flags.method === 'fork' || findNative() !== undefined;
  return {
    title: basename(file),
    handOver,
    ...wearOf(flags),
    stopTimeout,
    forkGuard,
    program: application,
  };
}

/** Of one generation. */
function mostWorkers(scaling: Scaling): number {
  return scaling.kind === 'static' ? scaling.workers : scaling.maxWorkers;
}

async function sourceOf(
  { method, bootTimeout }: ServeFlags,
  program: Program,
  log: Log,
  output: WorkerOutput,
): Promise<() => WorkerSource> {
  if (method === 'spawn') return () => spawnSource(program, findNative());
  await buildNative();
  const native = loadNative();
  return () =>
    new ZygoteSource(program, native, bootTimeout, {
      onStarted: (pid, stdout, stderr) => output.add({ pid, stdout, stderr }),
      onLost: (pid, { code, signal }) =>
        log.error({ zygote: pid, code, signal }, 'the zygote died; its workers live on'),
    });
}

async function openControl(
  option: string | boolean,
  log: Log,
  answer: () => object,
): Promise<{ close(): Promise<void> } | undefined> {
  if (option === false) return undefined;
  if (typeof option === 'string') return serveControl(option, answer);
  try {
    const folder = controlFolder(process.env);
    makeControlFolder(folder);
    return await serveControl(controlPath(folder), answer);
  } catch (error) {
    log.warn({ err: error }, 'without a control socket: `postfork status` will not find this arbiter');
    return undefined;
  }
}
