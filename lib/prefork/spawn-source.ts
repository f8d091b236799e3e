// Workers by spawn: new processes that load the application themselves.

import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { INSPECTABLE } from './blocked-stack.ts';
import type { Exit, Program, WorkerProcess, WorkerSource } from './worker-source.ts';

export function spawnSource(program: Program): WorkerSource {
  return {
    make: async () => {
      const child = spawn(process.execPath, [...program.execArgv, ...INSPECTABLE, program.file, 'spawn'], {
        stdio: ['ignore', 'pipe', 'pipe', program.listener, 'pipe'],
      });
      const { pid, stdout, stderr, channel, exited } = await started(child);
      channel.write(`${JSON.stringify({ type: 'start', settings: program.settings })}\n`);
      return { pid, channel, stdout, stderr, exited, inspectable: true, kill: (signal) => void child.kill(signal) };
    },
    close: async () => {},
  };
}

/** A process with its pipes. Rejects where it could not be started: no memory, no processes, no Node. */
export async function started(child: ChildProcess): Promise<Omit<WorkerProcess, 'inspectable' | 'kill'>> {
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => {}); // a kill that failed: it is gone
  const [, stdout, stderr, , channel] = child.stdio as unknown as [null, Readable, Readable, unknown, Socket];
  return { pid: child.pid as number, channel, stdout, stderr, exited };
}
