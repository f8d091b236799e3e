// `postfork config`: prints a working configuration of a web server for an application.

import { Command } from 'commander';

export function configCommand(): Command {
  return new Command('config').description('print the configuration of a web server for an application');
}
