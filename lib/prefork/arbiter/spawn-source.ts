// Workers by spawn: new processes that load the application themselves.

import { closeSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { INSPECTABLE } from './blocked-stack.ts';
import { DescriptorPipe } from '../descriptor-pipe.ts';
import type { Native } from '../native.ts';
import type { Exit, Program, WorkerProcess, WorkerSource } from './worker-source.ts';

/** `native`: the addon, where it is built; then connections can go from worker to worker. */
export function spawnSource(program: Program, native?: Native): WorkerSource {
  let first = true;
  return {
    make: async () => {
      const pipe = native && DescriptorPipe.pair(native);
      const child = spawn(process.execPath, [...program.execArgv, ...INSPECTABLE, program.file, 'spawn'], {
        stdio: ['ignore', 'pipe', 'pipe', program.listener, 'pipe', pipe?.theirs ?? 'ignore'],
      });
      if (pipe !== undefined) closeSync(pipe.theirs);
      try {
        const worker = await started(child);
        const settings = { ...(program.settings as object), first };
        first = false;
        worker.channel.write(`${JSON.stringify({ type: 'start', settings })}\n`);
        return { ...worker, descriptors: pipe?.ours, inspectable: true, kill: (signal) => void child.kill(signal) };
      } catch (error) {
        pipe?.ours.close();
        throw error;
      }
    },
    close: async () => {},
  };
}

/** A process with its pipes. Rejects where it could not be started: no memory, no processes, no Node. */
export async function started(
  child: ChildProcess,
): Promise<Omit<WorkerProcess, 'descriptors' | 'inspectable' | 'kill'>> {
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => {}); // a kill that failed: it is gone
  const [, stdout, stderr, , channel] = child.stdio as unknown as [null, Readable, Readable, unknown, Socket];
  return { pid: child.pid as number, channel, stdout, stderr, exited };
}
