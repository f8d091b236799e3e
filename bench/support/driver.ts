// The load driver (load/fcgiload.c): compiled when it is needed, run once for each measurement.

import { execFile } from 'node:child_process';
import { mkdir, rename, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SOURCE = fileURLToPath(new URL('../load/fcgiload.c', import.meta.url));
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/postfork-bench/', import.meta.url));
const BINARY = `${CACHE}fcgiload`;
const PATIENCE = 60_000; // ms beyond the time it was told

const run = promisify(execFile);

/** What the driver prints. Times in microseconds, latencies of the counted requests only. */
export interface Load {
  requests: number;
  /** Those of the warm-up count as well. */
  errors: number;
  firstError: string;
  seconds: number;
  p50Us: number;
  p99Us: number;
  /** CPU time of the driver and of the responder, user and system, in the counted seconds. */
  driverCpuUs: number;
  responderCpuUs: number;
  /** The same of a web server between, where there is one. */
  betweenCpuUs?: number;
  /** CPU time of everybody else on the machine: whether it was quiet. */
  othersCpuUs: number;
  /** Minor page faults of the responder in the counted seconds. */
  responderFaults: number;
  bytesIn: number;
  bytesOut: number;
  /** Kept connections that the responder closed between requests. */
  reconnects: number;
  /** Whether it closes every connection after one answer although it was asked to keep it. */
  peerCloses: boolean;
}

interface Failure {
  code?: number | string | null;
  signal?: string | null;
  stdout?: string;
  stderr?: string;
}

const modified = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

/** Compile the driver unless that has been done; resolves to its path. Rejects with what to install. */
export async function compileDriver(): Promise<string> {
  if (process.platform !== 'linux') throw new Error('the load driver needs epoll and /proc: Linux');
  if ((await modified(BINARY)) > (await modified(SOURCE))) return BINARY;
  await mkdir(CACHE, { recursive: true });
  const fresh = `${BINARY}-${process.pid}`; // two benchmarks may start at once
  try {
    await run('cc', ['-O2', '-Wall', '-Wextra', '-o', fresh, SOURCE]);
  } catch (error) {
    const { stderr } = error as Failure;
    throw new Error(`the load driver needs a C compiler: apt-get install gcc libc6-dev\n${stderr ?? ''}`, {
      cause: error,
    });
  }
  await rename(fresh, BINARY);
  return BINARY;
}

/** One measurement. Rejects where the driver could not run; answers that were wrong are in the result. */
export async function drive(
  binary: string,
  options: Record<string, string | number>,
  seconds: number,
  signal: AbortSignal,
): Promise<Load> {
  const args = Object.entries(options).map(([name, value]) => `--${name}${value === '' ? '' : `=${value}`}`);
  const limits = { signal, killSignal: 'SIGKILL', timeout: seconds * 1000 + PATIENCE } as const;
  const { stdout } = await run(binary, args, limits).catch((error: Failure) => {
    if (error.code === 1 && error.stdout !== undefined) return { stdout: error.stdout }; // wrong answers
    throw new Error(`the load driver failed: ${error.stderr || (error.signal ?? error.code)}`, { cause: error });
  });
  return JSON.parse(stdout) as Load;
}
