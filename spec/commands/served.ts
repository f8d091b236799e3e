// The command with real applications: starts it, asks it, knows its processes, and ends whatever a test has left.

import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '../../lib/client/index.ts';
import { askControl } from '../../lib/daemon/index.ts';
import type { ArbiterStatus, WorkerStatus } from '../../lib/prefork/index.ts';
import type { ProcessOptions, SpecProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { applicationText, postforkWith } from './programs.ts';

const WITHIN = 15_000; // ms
const POLL = 10; // ms

/** What an arbiter tells of itself. */
export interface Status extends ArbiterStatus {
  at: string;
  application: string;
  method: string;
}

/** `postfork serve` that serves on a socket of its own. */
export interface Served {
  /** The arbiter, or the one process. */
  readonly process: SpecProcess;
  /** Of its socket. */
  readonly path: string;
  readonly client: Client;
  /** The body of the answer to a GET. */
  readonly ask: (target: string) => Promise<string>;
  /** What `postfork status --json` says of it. */
  readonly status: () => Promise<Status>;
  /** Those that serve. */
  readonly pids: () => Promise<number[]>;
}

export interface Commands {
  /** Everybody may enter it; removed at the end. */
  readonly folder: string;
  /** A free name in the folder. */
  name(suffix: string): string;
  /** Write a module whose default export is `app`, with the body's routes. Returns its path. */
  write(name: string, body: string): string;
  /** Run the command; with the folder as its XDG_RUNTIME_DIR, unless the environment given says otherwise. */
  start(args: readonly string[], options?: ProcessOptions): SpecProcess;
  /** Run it to its end. */
  run(
    args: readonly string[],
    options?: ProcessOptions,
  ): Promise<{ code: number | null; stdout: string; stderr: string }>;
  /** `postfork serve`, until it serves. */
  serve(module: string, args?: readonly string[], options?: ProcessOptions): Promise<Served>;
  /** A client that is closed after the test. */
  client(address: string): Client;
  /** End a process of another group after the test, where it is still there. */
  owned(pid: number): number;
}

/** Call it where hooks may be registered. */
export function commands(): Commands {
  const temporary = temporaryFolder();
  const clients: Client[] = [];
  const processes: SpecProcess[] = [];
  const pids: number[] = [];
  let names = 0;

  beforeAll(() => chmodSync(temporary.path, 0o755));
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(processes.splice(0).map((process) => process.stop('SIGKILL')));
    for (const pid of pids.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  });

  const commands: Commands = {
    get folder() {
      return temporary.path;
    },
    name: (suffix) => join(temporary.path, `${(names += 1)}${suffix}`),
    write(name, body) {
      const path = join(temporary.path, name);
      writeFileSync(path, applicationText(body));
      return path;
    },
    start(args, options = {}) {
      const environ = { XDG_RUNTIME_DIR: temporary.path, ...options.environ };
      const process = postforkWith({ ...options, environ }, ...args);
      processes.push(process);
      return process;
    },
    async run(args, options) {
      const process = commands.start(args, options);
      const { code } = await process.finished;
      return { code, stdout: process.stdout, stderr: process.stderr };
    },
    async serve(module, args = [], options) {
      const path = commands.name('.sock');
      const process = commands.start(['serve', module, '--listen', `unix:${path}`, ...args], options);
      await process.says(/"serving /);
      return served(commands, process, path, options?.environ?.['XDG_RUNTIME_DIR'] ?? temporary.path);
    },
    client(address) {
      const client = new Client({ address, keepConn: false });
      clients.push(client);
      return client;
    },
    owned(pid) {
      pids.push(pid);
      return pid;
    },
  };
  return commands;
}

function served(commands: Commands, process: SpecProcess, path: string, runtime: string): Served {
  const client = commands.client(`unix:${path}`);
  const status = async (): Promise<Status> =>
    (await askControl(join(runtime, 'postfork', `${process.pid}.control`))) as Status;
  const pids = async (): Promise<number[]> => (await status()).workers.map(({ pid }: WorkerStatus) => pid);
  return { process, path, client, ask: (target) => ask(client, target), status, pids };
}

/** The body of the answer to a GET. */
export async function ask(client: Client, target: string): Promise<string> {
  return (await client.request(get(target))).text();
}

export function get(target: string): { params: Record<string, string> } {
  return { params: { REQUEST_METHOD: 'GET', REQUEST_URI: target } };
}

/** Resolves when it holds; rejects after a bounded time. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WITHIN;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`it does not come: ${what}`);
    await delay(POLL);
  }
}

/** Whether there is such a process, and no more than its end that nobody has asked for. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** A field of proc_pid_status(5). */
export function statusField(pid: number, name: string): string {
  const line = new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (line?.[1] ?? '').replaceAll(/\s+/g, ' ').trim();
}

/** Its living children. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => {
      try {
        return isAlive(child) && statusField(child, 'PPid') === String(pid);
      } catch {
        return false; // it has just ended
      }
    });
}

/** It and all that it has started. */
export function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

/** Which of these processes answer, each asked while all others are stopped: who serves is not left to chance. */
export async function answersOf(pids: readonly number[], askPid: () => Promise<string>): Promise<number[]> {
  const answers: number[] = [];
  for (const pid of pids) {
    const others = pids.filter((other) => other !== pid);
    for (const other of others) process.kill(other, 'SIGSTOP');
    try {
      answers.push(Number(await askPid()));
    } finally {
      for (const other of others) process.kill(other, 'SIGCONT');
    }
  }
  return answers;
}

/** The complete lines of a JSON log. */
export function logLines(text: string): Record<string, unknown>[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A folder in the folder, with a mode that the umask does not narrow. */
export function makeFolder(path: string, mode: number): string {
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}
