// `postfork gateway`: an HTTP front end for an application, for development without a web server.

import { Command } from 'commander';
import { port, positive } from './arguments.ts';
import type { GatewayFlags } from './run-gateway.ts';

export function gatewayCommand(): Command {
  return new Command('gateway')
    .description('answer HTTP requests with a FastCGI application, for development without a web server')
    .requiredOption('-t, --to <address>', 'where the application listens: unix:/path or tcp:host:port')
    .option('-p, --port <n>', 'TCP port of HTTP; 0 takes a free one', port, 8080)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--timeout <ms>', 'for the application to begin its answer; then it is a 504', positive, 60_000)
    .addHelpText(
      'after',
      `
The application gets the CGI variables that nginx sends. The URL and a line for each request go to stdout; what the application
writes to STDERR, and what is wrong with its answers, to stderr. Not for production: it has no TLS, serves no files and trusts
its clients. WebSockets and other upgrades do not go through FastCGI.

Examples:
  $ postfork gateway --to unix:/run/app.sock
  $ postfork gateway --to tcp:127.0.0.1:9000 --port 3000`,
    )
    .action(async (flags: GatewayFlags) => {
      const { runGateway } = await import('./run-gateway.ts');
      await runGateway(flags);
    });
}
