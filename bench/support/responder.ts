// Starts and stops a program of responders/ as its own process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Session } from './session.ts';

const MALLOC_CALM = {
  // Else glibc gives memory back and takes it again at every upload, and page faults are what is measured.
  MALLOC_TRIM_THRESHOLD_: '268435456',
  MALLOC_TOP_PAD_: '67108864',
};

export interface Responder {
  readonly pid: number;
  readonly socket: string;
  /** What it wrote to stderr: why it died. */
  complaint(): string;
  stop(): Promise<void>;
}

export interface ResponderOptions {
  /** The length of its answers' bodies. Default 100 bytes. */
  answerBytes?: number;
  /** Whether glibc is told to keep freed memory, as all are when CPU time is compared. Default true. */
  calmMalloc?: boolean;
  /** Whether NAME.mjs is an application, and `postfork serve` the program. Default false. */
  served?: boolean;
}

let started = 0;

/** Start `responders/NAME.mjs` and wait until it accepts connections. */
export async function startResponder(
  name: string,
  { folder, signal }: Session,
  { answerBytes = 100, calmMalloc = true, served = false }: ResponderOptions = {},
): Promise<Responder> {
  started += 1;
  const socket = join(folder, `${name}-${started}.sock`);
  const program = fileURLToPath(new URL(`../responders/${name}.mjs`, import.meta.url));
  const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
  const args = served ? [cli, 'serve', program, '--listen', `unix:${socket}`] : [program, socket, String(answerBytes)];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...(calmMalloc && MALLOC_CALM) },
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const closed = once(child, 'close');
  const died = closed.then(() => {
    throw new Error(`the responder ${name} died:\n${complaint}`);
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await closed;
  };
  try {
    await Promise.race([once(served ? child.stderr : child.stdout, 'data'), died]); // it says that it is ready
    signal.throwIfAborted();
  } catch (error) {
    await stop();
    throw error;
  }
  return { pid: child.pid as number, socket, complaint: () => complaint, stop };
}

/** The responders import the package as users do: from dist/. Throws where that is missing. */
export async function requireBuild(): Promise<void> {
  const entry = new URL('../../dist/index.js', import.meta.url);
  await access(entry).catch(() => {
    throw new Error('dist/index.js is missing: npm run build');
  });
}
