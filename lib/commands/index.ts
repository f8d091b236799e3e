// commands/: the `postfork` command, a verb a file. Each of its processes loads only what it needs.

/** The command, with the process's arguments. */
export async function main(): Promise<void> {
  const { main: run } = await import('./program.ts');
  await run();
}

/** A worker's process, or the zygote's. */
export async function workerProcess(method: string | undefined): Promise<void> {
  const { workerProcess: run } = await import('./worker-process.ts');
  await run(method);
}
