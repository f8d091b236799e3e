// commands/: the `postfork` command, a verb a file.

export { main } from './program.ts';
export { workerProcess } from './worker-process.ts';
