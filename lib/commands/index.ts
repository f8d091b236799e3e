// commands/: the verbs of the `postfork` command, one a file.

export { callCommand } from './call.ts';
export { configCommand } from './config.ts';
export { serveCommand } from './serve.ts';
