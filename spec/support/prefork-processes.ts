// Real workers and zygotes of spec/programs/prefork-program.mjs, and what they say; ended after each test.

import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  spawnSource,
  ZygoteSource,
  type Native,
  type Program,
  type WorkerProcess,
  type WorkerSource,
} from '../../lib/prefork/index.ts';
import type { Exit } from '../../lib/prefork/arbiter/worker-source.ts';
import { openListeningSocket } from '../../lib/server/index.ts';
import { processState } from './processes.ts';
import { temporaryFolder } from './temporary.ts';

const PROGRAM = join(__dirname, '../programs/prefork-program.mjs');
const PATIENCE = 15_000;

export interface Message {
  type: string;
  message?: string;
  load?: { active: number; connections: number; served: number; rss: number };
}

/** A worker as its arbiter would have it. */
export interface RealWorker {
  process: WorkerProcess;
  pid: number;
  messages: Message[];
  exited: Promise<Exit>;
  /** Its next message of a type, those that have come among them. */
  says(type: string): Promise<Message>;
  drain(timeout: number): void;
  /** Tell a worn one that it may. */
  leave(): void;
  /** All that is open here of it is closed. */
  closed: Promise<unknown>;
  stderr: () => string;
}

export interface ProgramSettings {
  maxRequests?: number;
  maxRequestsJitter?: number;
  maxRequestsStrict?: boolean;
  stopTimeout?: number;
  forkGuard?: 'warn' | 'refuse' | 'off';
  /** Of the program itself. */
  load?: string;
  serve?: string;
  close?: string;
  peer?: string;
  exitAfterFork?: number;
}

export interface Client {
  /** Of the worker that answers. */
  pid: number;
  /** Have it do something; resolves when it has begun. */
  tell(command: string): Promise<void>;
  /** The worker has closed the connection. */
  ended: Promise<void>;
  end(): void;
}

export interface Lost {
  pid: number;
  exit: Exit;
}

export interface PreforkProcesses {
  spawned(settings?: ProgramSettings): WorkerSource;
  forked(native: Native, settings?: ProgramSettings, bootTimeout?: number): WorkerSource;
  /** Make a worker and listen to it. */
  make(source: WorkerSource): Promise<RealWorker>;
  client(): Promise<Client>;
  /** What has happened in all processes of the test. */
  journal(): string[];
  /** Zygotes that were started, and those that were lost. */
  zygotes: number[];
  lost: Lost[];
  path(): string;
}

/** Call it where hooks may be registered. */
export function preforkProcesses(): PreforkProcesses {
  const folder = temporaryFolder();
  const sources: WorkerSource[] = [];
  const workers: RealWorker[] = [];
  const clients: Client[] = [];
  const zygotes: number[] = [];
  const lost: Lost[] = [];
  let listener = -1;
  let tests = 0;
  const path = (): string => folder.join(`${tests}.sock`);
  const journal = (): string => folder.join(`${tests}.journal`);

  beforeEach(async () => {
    tests += 1;
    const socket = await openListeningSocket({ kind: 'unix', path: path(), mode: 0o600, group: undefined });
    await socket.publish();
    listener = socket.fd;
  });

  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    for (const { process } of workers) process.kill('SIGKILL');
    await Promise.all(workers.splice(0).map(({ exited }) => exited));
    await Promise.all(sources.splice(0).map((source) => source.close()));
    zygotes.length = 0;
    lost.length = 0;
  });

  function program(settings: ProgramSettings): Program {
    const {
      maxRequests = 0,
      maxRequestsJitter = 0,
      maxRequestsStrict = false,
      stopTimeout = 5000,
      forkGuard = 'off',
      ...own
    } = settings;
    return {
      file: PROGRAM,
      execArgv: [],
      listener,
      settings: {
        title: 'spec',
        maxRequests,
        maxRequestsJitter,
        maxRequestsStrict,
        stopTimeout,
        forkGuard,
        program: { ...own, journal: journal() },
      },
    };
  }

  function keep(source: WorkerSource): WorkerSource {
    sources.push(source);
    return source;
  }

  return {
    zygotes,
    lost,
    path,
    spawned: (settings = {}) => keep(spawnSource(program(settings))),
    forked: (native, settings = {}, bootTimeout = PATIENCE) =>
      keep(
        new ZygoteSource(program(settings), native, bootTimeout, {
          onStarted: (pid, stdout, stderr) => {
            zygotes.push(pid);
            stdout.resume();
            stderr.resume();
          },
          onLost: (pid, exit) => void lost.push({ pid, exit }),
        }),
      ),
    async make(source) {
      const worker = listen(await source.make());
      workers.push(worker);
      return worker;
    },
    async client() {
      const client = await openClient(path());
      clients.push(client);
      return client;
    },
    journal: () => readFileSync(journal(), 'utf8').trim().split('\n'),
  };
}

function listen(process: WorkerProcess): RealWorker {
  const { channel, stdout, stderr, exited, pid } = process;
  const messages: Message[] = [];
  const waiting = new Set<() => void>();
  let said = '';
  let over = false;
  stderr.on('data', (chunk: Buffer) => (said += String(chunk)));
  stdout.resume();
  const closed = Promise.all(
    [channel, stdout, stderr].map((stream) => new Promise((resolve) => stream.once('close', resolve))),
  );
  channel.on('error', () => {});
  createInterface({ input: channel })
    .on('line', (line) => {
      messages.push(JSON.parse(line) as Message);
      for (const wake of waiting) wake();
    })
    .on('close', () => {
      over = true;
      for (const wake of waiting) wake();
    });
  void exited.then(() => channel.end());
  return {
    process,
    pid,
    messages,
    exited,
    closed,
    stderr: () => said,
    drain: (timeout) => void channel.write(`${JSON.stringify({ type: 'drain', timeout })}\n`),
    leave: () => void channel.write(`${JSON.stringify({ type: 'leave' })}\n`),
    says: (type) =>
      new Promise((resolve, reject) => {
        const fail = (): void => reject(new Error(`it did not say ${type}: ${JSON.stringify(messages)}\n${said}`));
        const late = setTimeout(() => {
          waiting.delete(look);
          fail();
        }, PATIENCE);
        const look = (): void => {
          const message = messages.find((one) => one.type === type);
          if (message === undefined && !over) return;
          clearTimeout(late);
          waiting.delete(look);
          if (message === undefined) fail();
          else resolve(message);
        };
        waiting.add(look);
        look();
      }),
  };
}

async function openClient(path: string): Promise<Client> {
  const socket = connect(path);
  let answers: (() => void)[] = [];
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const pid = await new Promise<number>((resolve, reject) => {
    socket.on('error', reject);
    createInterface({ input: socket }).on('line', (line) => {
      if (line === 'done') answers.shift()?.();
      else resolve(Number(line));
    });
    void ended.then(() => {
      for (const answer of answers.splice(0)) answer();
      reject(new Error('the connection was closed without an answer'));
    });
  });
  return {
    pid,
    ended,
    tell: (command) =>
      new Promise((resolve) => {
        answers = [...answers, resolve];
        socket.write(`${command}\n`);
      }),
    end: () => void socket.destroy(),
  };
}

/** Whether there is such a process; one that ended and that nobody has waited for counts as none. */
export function lives(pid: number): boolean {
  return (processState(pid)?.state ?? 'Z') !== 'Z';
}
