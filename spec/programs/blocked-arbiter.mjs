// Asks for the stack of a blocked worker and tells it, with nothing else to stay for: where a timer or a socket is left, it does
// not end before the worker, which never does. Run by spec/prefork/arbiter/blocked-stack.spec.ts with the path of
// dist/prefork/arbiter/blocked-stack.js, the worker's program, its state and a timeout.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [module, program, state, timeout] = process.argv.slice(2);
const { blockedStack, INSPECTABLE } = await import(pathToFileURL(module).href);

const child = spawn(process.execPath, [...INSPECTABLE, program, state], { stdio: 'pipe' });
process.on('exit', () => child.kill('SIGKILL'));
await new Promise((resolve) => child.stdout.once('data', resolve));

const lines = createInterface({ input: child.stderr });
const stderr = (listener) => {
  lines.on('line', listener);
  return () => lines.off('line', listener);
};
const stack = await blockedStack({ pid: child.pid, stderr, timeout: Number(timeout) });
process.stdout.write(JSON.stringify({ stack, listeners: lines.listenerCount('line') }));

for (const held of [child, ...child.stdio]) held.unref();
