// `postfork run`: a program that listens by itself, by http.createServer, served by FastCGI instead.

import { Command } from 'commander';
import { addServeOptions, type ServeFlags } from './serve-flags.ts';
import { runServe } from './serve.ts';

export function runCommand(): Command {
  const command = new Command('run')
    .description(
      'run a program that listens by itself, http.createServer(...).listen(8080), and serve it by FastCGI instead',
    )
    .argument('<program>', 'its file, which is run as `node <program>` runs it')
    .argument('[arguments...]', 'behind --: the arguments of the program');
  return addServeOptions(command)
    .addHelpText(
      'after',
      `
The first http.Server that the program tells to listen on a port does not: its requests come by FastCGI, on --listen, in as many
workers as are wanted. To the program it looks as if it listened. What else it listens on is left alone. OS signals, exit codes
and logs are those of \`postfork serve\`.

Examples:
  $ postfork run server.js --listen unix:/run/app.sock
  $ postfork run server.ts --listen unix:/run/app.sock --workers auto -- --verbose`,
    )
    .action((program: string, run: string[], flags: ServeFlags) => runServe(program, { ...flags, run }));
}
