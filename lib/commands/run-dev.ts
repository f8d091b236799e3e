// What `postfork dev` does: a worker that is reloaded on changes, and the gateway before it, until an OS signal ends it.

import { realpathSync, rmSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway, Problem } from '../gateway/index.ts';
import { findNative, type WorkerSettings } from '../prefork/index.ts';
import { openListeningSocket, parseListener } from '../server/index.ts';
import { developmentFolder } from './dev-folder.ts';
import { DevWatch, packageFolder } from './dev-watch.ts';
import { DevWorkers } from './dev-workers.ts';
import { EndingSignals } from './ending-signals.ts';
import { moduleFile } from './module-file.ts';
import { showAccess, showLine } from './run-gateway.ts';
import type { ApplicationSettings } from './worker-process.ts';

export interface DevFlags {
  run: boolean;
  port: number;
  host: string;
  mount?: string;
  watch?: string[];
  timeout: number;
  bootTimeout: number;
}

const WORKER = fileURLToPath(new URL('../worker.js', import.meta.url));
const STOP_TIMEOUT = 500; // ms for what runs to end

/** `args`: of a program. Resolves when it is ended, and nothing of it is left. Rejects where it cannot listen, or there is no such module. */
export async function runDev(file: string, args: readonly string[], flags: DevFlags): Promise<void> {
  moduleFile(file, flags.run); // the errors that it throws are the user's
  process.title = `postfork: dev ${basename(file)}`;
  const signals = new EndingSignals(); // before there is anything to clean up
  const { path, at } = await developmentFolder();
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    await develop(file, settingsOf(file, args, flags), flags, at, signals);
  } finally {
    remove();
    process.off('exit', remove);
    signals.close();
  }
}

async function develop(
  file: string,
  settings: WorkerSettings,
  flags: DevFlags,
  at: string,
  signals: EndingSignals,
): Promise<void> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const socket = await openListeningSocket(parseListener(`${at}?mode=600`));
  const watch = new DevWatch({ onChange: (path) => workers.renew(path), onTrouble: say });
  const workers = new DevWorkers({
    program: {
      file: WORKER,
      execArgv: process.execArgv,
      settings,
      listener: socket.fd,
    },
    bootTimeout: flags.bootTimeout,
    say,
  });
  const gateway = new Gateway({
    to: socket.at,
    timeout: flags.timeout,
    keepConn: false, // a kept connection may lead to the code before
    before: async () => problemOf(await workers.problem()),
    onAccess: showAccess,
    onLog: showLine,
  });
  try {
    await socket.publish();
    const { url } = await gateway.listen(flags);
    process.stdout.write(`${url}${(flags.mount ?? '').replace(/^\//, '')} is ${file} (Ctrl-C ends it)\n`);
    for (const path of [file, realpathSync(file)]) watch.add(packageFolder(path)); // what a link leads to imports from there
    for (const path of flags.watch ?? []) watch.add(resolve(path), true);
    workers.renew();
    await new Promise<void>((end) => {
      let ending = false;
      signals.handOnTo(() => {
        if (ending) process.exit(1);
        ending = true;
        end();
      });
    });
  } finally {
    watch.close();
    await socket.remove();
    await Promise.all([gateway.close({ timeout: STOP_TIMEOUT }), workers.stop(STOP_TIMEOUT)]);
  }
}

function settingsOf(file: string, args: readonly string[], { mount, run }: DevFlags): WorkerSettings {
  const application: ApplicationSettings = {
    file,
    ...(run && { run: args }),
    development: (process.env['NODE_ENV'] || 'development') === 'development',
    logLevel: 'warn',
    ...(mount !== undefined && { mount }),
    serve: { multiplex: true, workers: 1 },
  };
  return {
    title: basename(file),
    handOver: findNative() !== undefined,
    maxRequests: 0,
    maxRequestsStrict: false,
    maxRequestsJitter: 0,
    stopTimeout: STOP_TIMEOUT,
    forkGuard: 'off',
    program: application,
  };
}

function problemOf(text: string | undefined): Problem | undefined {
  if (text === undefined) return undefined;
  return new Problem(500, 'The application does not load.', {
    advice: ['It is tried again when one of its files changes; then load this page again.'],
    detail: text,
  });
}
