// `postfork dev`: an application with an HTTP front end of its own, reloaded when its files change.

import { Command } from 'commander';
import { port, positive } from './arguments.ts';
import type { DevFlags } from './run-dev.ts';

export function devCommand(): Command {
  return new Command('dev')
    .description('develop an application: served by HTTP, reloaded on changes, errors with their stacks')
    .argument('<application>', 'module of the application, as for `postfork serve`')
    .argument('[arguments...]', 'behind --, with --run: the arguments of the program')
    .option('--run', 'the module is a program that listens by itself, as for `postfork run`', false)
    .option('-p, --port <n>', 'TCP port of HTTP; 0 takes a free one', port, 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('-m, --mount <path>', 'path that the application is at, such as /app')
    .option('--watch <path...>', 'folders to watch besides, named behind the application; any file in them counts')
    .option('--timeout <ms>', 'for the application to begin its answer; then it is a 504', positive, 60_000)
    .option('--boot-timeout <ms>', 'for the application to load', positive, 30_000)
    .addHelpText(
      'after',
      `
Watched are the modules and JSON files of the application's package: the folder with its package.json, or else the module's own,
and all folders below but node_modules and those whose names begin with a dot. A change is served when the new code has loaded;
requests wait for it. While it does not load, every page says why.
Errors of handlers are pages with stacks, unless NODE_ENV is something else than development or the application makes pages of
its own. WebSockets and other upgrades do not go through FastCGI.

Examples:
  $ postfork dev app.ts
  $ postfork dev src/app.mjs --port 3000 --watch templates
  $ postfork dev --run server.js
  $ postfork dev --run server.js -- --verbose`,
    )
    .action(async (application: string, args: string[], flags: DevFlags) => {
      if (args.length > 0 && !flags.run) throw new TypeError(`${args[0]}: arguments are for programs, dev --run`);
      const { runDev } = await import('./run-dev.ts');
      await runDev(application, args, flags);
    });
}
