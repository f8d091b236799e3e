// zygote/: the process that loads the application once and forks workers, and what a forked one must do first.

export { runZygote } from './run-zygote.ts';
