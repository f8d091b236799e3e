// Loads what is to be served, JavaScript or TypeScript: a module that exports an application, or a program that listens by itself.

import cluster from 'node:cluster';
import { createRequire, runMain, syncBuiltinESMExports } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { adapt, takeOverListen } from '../adapters/index.ts';
import { Application } from '../app/index.ts';
import { plainError } from './load-error.ts';
import { moduleFile } from './module-file.ts';

const NODE = process.versions.node;
const ENDING = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
const LISTENS_WITHIN = 5000; // ms; then it is said that it does not, though it may yet
const NO_THREAD =
  `Node ${NODE} has TypeScript compiled in a thread, which forked workers do not have: each import() of theirs would hang. ` +
  'Compile the application first, use Node 22.18 or later, or --method spawn';

/**
 * Rejects with an error that says what to do where there is no such module, or its default export is no application.
 * `forks`: this process is to be forked, and may not load modules by a thread.
 */
export async function loadApplication(file: string, forks = false): Promise<Application> {
  const path = await loadable(moduleFile(file), forks);
  const load = async (): Promise<Application> => {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
    const exported = defaultExport(module.default);
    // Only a real one: what others wrote may be thenable, as Fastify's applications are.
    return applicationOf(exported instanceof Promise ? await exported : exported, file);
  };
  return unlessIdle(load(), `${file} waits for what never comes, by await or by a promise that it exports`);
}

/**
 * Load a program that listens by itself, `http.createServer(...).listen(8080)`: this process's main module, with `args` in
 * process.argv. Resolves when it listens, which may be long after it was loaded; rejects where nothing is left that could.
 */
export async function loadProgram(file: string, args: readonly string[], forks = false): Promise<Application> {
  const path = await loadable(moduleFile(file, true), forks); // a folder's index.js, as node has it
  const { handler, stopping } = takeOverListen();
  for (const name of ENDING) process.on(name, stopping); // before the program's own
  refuseCluster();
  process.argv = [process.execPath, path, ...args];
  const missing = `${file} has not told an http.Server to listen on a port: http.createServer(...).listen(8080)`;
  const late = setTimeout(() => process.stderr.write(`postfork: so far ${missing}\n`), LISTENS_WITHIN).unref();
  try {
    runMain(path);
    return new Application().fallback(await unlessIdle(handler, missing));
  } finally {
    clearTimeout(late);
  }
}

/** What is waited for; rejects with `message` where nothing is left in this process that could come of itself. */
async function unlessIdle<T>(awaited: Promise<T>, message: string): Promise<T> {
  let onIdle: (() => void) | undefined;
  const idle = new Promise<never>((_resolve, reject) =>
    process.once('beforeExit', (onIdle = () => reject(plainError(message)))),
  );
  try {
    return await Promise.race([awaited, idle]);
  } finally {
    if (onIdle !== undefined) process.off('beforeExit', onIdle);
  }
}

/** Its processes would listen by themselves. */
function refuseCluster(): void {
  const fork = (): never => {
    const error = new Error(
      'cluster.fork(): this program forks itself with node:cluster. Leave that to --workers: have it listen in this process',
    );
    Error.captureStackTrace(error, fork); // where the program calls it
    throw error;
  };
  Object.assign(cluster, { fork });
  syncBuiltinESMExports(); // for `import { fork } from 'node:cluster'`
}

/** The same path, when Node can load it. */
async function loadable(path: string, forks: boolean): Promise<string> {
  if (/^\.[cm]?ts$/.test(extname(path)) && !stripsTypes()) {
    if (forks) throw plainError(NO_THREAD);
    await registerTsx(path);
  }
  return path;
}

/** Of a CommonJS module that was compiled from ESM, the default export is within what Node takes for one. */
function defaultExport(exported: unknown): unknown {
  const compiled = exported as { __esModule?: boolean; default?: unknown } | undefined | null;
  return compiled?.__esModule === true ? compiled.default : exported;
}

/** An application may come from another copy of this package, so it is known by what it does. */
function applicationOf(exported: unknown, file: string): Application {
  if (typeof exported === 'object' && exported !== null && 'handlers' in exported) return exported as Application;
  try {
    return new Application().fallback(adapt(exported));
  } catch {
    throw plainError(
      `${file}: its default export is ${exported === undefined ? 'missing' : 'no application'}; ` +
        'write `export default app` (in CommonJS `module.exports = app`) with an Application, a function that answers a request, or an application of Express, Koa, ' +
        'Fastify, Hono or the like. `postfork run` takes programs that listen by themselves',
    );
  }
}

/** Whether Node runs TypeScript by itself: from 22.18 and 24 on. */
function stripsTypes(): boolean {
  return Boolean((process.features as { typescript?: string | false }).typescript);
}

/** tsx as the application's own dependencies have it, or as ours do; importing it makes Node run TypeScript. */
async function registerTsx(path: string): Promise<void> {
  for (const from of [path, import.meta.url]) {
    let tsx: string;
    try {
      tsx = createRequire(from).resolve('tsx');
    } catch {
      continue; // not installed there
    }
    await import(pathToFileURL(tsx).href);
    return;
  }
  throw plainError(`Node ${NODE} does not run TypeScript by itself: npm install tsx, or use Node 22.18 or later`);
}
