// The `postfork` command with its verbs, and what it says when one fails.

import { createRequire } from 'node:module';
import { Command } from 'commander';
import { callCommand } from './call.ts';
import { configCommand } from './config.ts';
import { devCommand } from './dev.ts';
import { CommandError } from './exit-codes.ts';
import { gatewayCommand } from './gateway.ts';
import { labCommand } from './lab.ts';
import { migrateCommand } from './migrate.ts';
import { postgresCommand } from './postgres.ts';
import { runCommand } from './run.ts';
import { runfcgiCommand } from './runfcgi.ts';
import { serveCommand } from './serve.ts';
import { statusCommand } from './status.ts';

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };

/** Run it with the process's arguments. Never rejects: a failure is said on stderr and is exit code 1. */
export async function main(): Promise<void> {
  const program = new Command('postfork')
    .description('FastCGI application server and framework, behind lighttpd, nginx and any web server with FastCGI')
    .version(version)
    .showHelpAfterError('(postfork --help shows what there is)')
    .addCommand(serveCommand())
    .addCommand(runCommand())
    .addCommand(devCommand())
    .addCommand(statusCommand())
    .addCommand(callCommand())
    .addCommand(gatewayCommand())
    .addCommand(configCommand())
    .addCommand(migrateCommand())
    .addCommand(postgresCommand())
    .addCommand(labCommand())
    .addCommand(runfcgiCommand())
    .addHelpText(
      'after',
      `
To get going:
  $ cat > app.mjs <<'END'
  import { Application } from 'postfork';
  const app = new Application();
  app.get('/', () => 'hello');
  export default app;
  END
  $ postfork serve app.mjs --listen unix:/tmp/app.sock
  $ postfork call unix:/tmp/app.sock GET /
  $ postfork config nginx --to unix:/tmp/app.sock > app.conf`,
    );

  try {
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`postfork: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof CommandError ? error.exitCode : 1;
  }
}
