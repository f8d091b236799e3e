// The applications that the command's specs serve, and how they run the command.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SpecProcess, type ProcessOptions } from '../support/process.ts';

const root = join(__dirname, '../..');
const library = pathToFileURL(join(root, 'dist/index.js')).href;
const insides = pathToFileURL(join(root, 'dist/signals/index.js')).href;

const APPLICATION = `
  import { Application, HttpResponse } from '${library}';
  const app = new Application();
  app.get('/', () => 'hello');
  app.get('/pid', () => String(process.pid));
  app.post('/echo', async (request) => HttpResponse.text(await request.text(), { headers: { 'X-Type': request.header('Content-Type') ?? '' } }));
  app.get('/slow', (request) => new Promise((resolve) => {
    request.signal.addEventListener('abort', () => process.stderr.write('slow was aborted\\n'));
    process.once('SIGUSR2', () => resolve('slow is done'));
    process.stderr.write('slow has begun in ' + process.pid + '\\n');
  }));
  app.get('/import', async () => (await import('./later.mjs')).default);
  app.get('/throw', () => { throw new Error('it went wrong'); });
  app.get('/hangs', () => new Promise(() => setTimeout(() => { throw new Error('in a callback'); }, 1)));
  app.get('/later', () => { setImmediate(() => { throw new Error('outside of any request'); }); return 'soon'; });
`;

/** Modules to serve, by what they export. */
const MODULES: Readonly<Record<string, string>> = {
  'app.mjs': `${APPLICATION} export default app;`,
  'app.ts': `${APPLICATION.replace('const app', 'const app: Application')} export default app;`,
  'follows.mjs': `${APPLICATION} import { followRequests } from '${insides}'; followRequests(); export default app;`,
  'promise.mjs': `${APPLICATION} export default new Promise((resolve) => setTimeout(resolve, 5, app));`,
  'later.mjs': 'export default "imported";',
  'linked.mjs': `${APPLICATION.replace(library, 'postfork')} export default app;`,
  'handler.mjs': 'export default (request) => ({ path: request.path });',
  'nothing.mjs': 'export const app = 1;',
  'number.mjs': 'export default 7;',
  'broken.mjs': 'throw new Error("broken at import");',
};

/** Write the modules into a folder. */
export function writeModules(folder: string): void {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/postfork')); // as npm link, workspaces and pnpm do
  for (const [name, text] of Object.entries(MODULES)) writeFileSync(join(folder, name), text);
}

/** The command's file. */
export const CLI: string = join(root, 'dist/cli.js');

/** A module that exports an application. `body` adds to `app`, with what the library exports and some of Node at hand. */
export function applicationText(body: string): string {
  return `
  import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
  import { setTimeout as delay } from 'node:timers/promises';
  import { Application, HttpResponse, signals } from '${library}';
  const app = new Application();
  const pid = () => String(process.pid);
  const json = (value) => HttpResponse.json(value);
  app.get('/pid', pid);
  /** Answers when there is such a file. */
  app.get('/hold', async (request) => {
    while (!existsSync(request.query.get('until'))) await delay(10);
    return pid();
  });
  ${body}
  export default app;
`;
}

/** Start the command. */
export function postfork(...args: string[]): SpecProcess {
  return postforkWith({}, ...args);
}

/** Start the command in a folder and an environment. */
export function postforkWith(options: ProcessOptions, ...args: string[]): SpecProcess {
  return new SpecProcess(process.execPath, [CLI, ...args], options);
}
