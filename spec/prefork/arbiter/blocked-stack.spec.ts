// The JavaScript stack of a blocked process, asked of real ones.

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { WebSocket } from 'ws';
import { blockedStack, INSPECTABLE } from '../../../lib/prefork/arbiter/blocked-stack.ts';
import { SpecProcess } from '../../support/process.ts';
import { processState, until } from '../../support/processes.ts';

const PROGRAM = join(__dirname, '../../programs/blocked-worker.mjs');
const ARBITER = join(__dirname, '../../programs/blocked-arbiter.mjs');
const MODULE = join(__dirname, '../../../dist/prefork/arbiter/blocked-stack.js');
const NO_PROCESS = 2 ** 22 + 1; // above the largest pid_max, proc(5)
const LONG = 15_000; // where there is a stack, on a busy machine too
const SHORT = 600; // where there is none

interface Worker {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly pid: number;
  /** What the arbiter does: it has whole lines, and tells who wants to know. */
  readonly stderr: (listener: (line: string) => void) => () => void;
  /** Those who listen to its stderr now. */
  readonly listeners: ReadonlySet<(line: string) => void>;
  /** Its next line on stdout that matches. */
  says(pattern: RegExp): Promise<string>;
}

/** What says that it is ready is still JavaScript, and may be kept waiting in between: one look at it is not enough. */
async function sleeping({ pid }: Worker): Promise<void> {
  let asleep = 0;
  await until('it sleeps', () => {
    asleep = processState(pid)?.state === 'S' ? asleep + 1 : 0;
    return asleep === 20;
  });
}

describe('the stack of a blocked worker', () => {
  const workers: Worker[] = [];

  async function start(state: string, flags: readonly string[] = INSPECTABLE): Promise<Worker> {
    const child = spawn(process.execPath, [...flags, PROGRAM, state], { stdio: 'pipe' });
    const listeners = new Set<(line: string) => void>();
    const stdout = createInterface({ input: child.stdout });
    createInterface({ input: child.stderr }).on('line', (line) => {
      for (const listener of listeners) listener(line);
    });
    const worker: Worker = {
      child,
      pid: child.pid as number,
      listeners,
      stderr: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      says: (pattern) =>
        new Promise((resolve) => {
          const hear = (line: string): void => {
            if (!pattern.test(line)) return;
            stdout.off('line', hear);
            resolve(line);
          };
          stdout.on('line', hear);
        }),
    };
    workers.push(worker);
    await worker.says(/^ready$/);
    return worker;
  }

  afterEach(async () => {
    await Promise.all(
      workers.splice(0).map(async ({ child }) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const closed = once(child, 'close');
        child.kill('SIGKILL');
        await closed;
      }),
    );
  });

  test('names the functions of an endless loop, innermost first, with their places', async () => {
    const worker = await start('loop');
    const stack = await blockedStack({ ...worker, timeout: LONG });
    const [spin, handle, ...callers] = stack?.split('\n') ?? [];
    expect(spin).toMatch(/^ {4}at spinForEver \(file:.*blocked-worker\.mjs:11:\d+\)$/);
    expect(handle).toMatch(/^ {4}at handleRequest \(file:.*blocked-worker\.mjs:15:3\)$/);
    expect(callers.join('\n')).toMatch(
      /^ {4}at \w+ \(file:.*\)\n {4}at begin \(file:.*\)\n {4}at \w+ \(node:internal\/timers:\d+:\d+\)$/,
    );
  });

  test('is bounded', async () => {
    const stack = await blockedStack({ ...(await start('deep')), timeout: LONG });
    const lines = stack?.split('\n') ?? [];
    expect(lines).toHaveLength(50);
    expect(lines[49]).toMatch(/^ {4}at recurse \(/);
  });

  test('is not to be had where native code blocks, and that is said in time', async () => {
    const worker = await start('native');
    expect(await blockedStack({ ...worker, timeout: SHORT })).toBeUndefined();
    expect(worker.child.exitCode).toBeNull();
  });

  test('is to be had where Atomics.wait blocks: V8 wakes it', async () => {
    const worker = await start('waiting');
    await sleeping(worker);
    const stack = await blockedStack({ ...worker, timeout: LONG });
    expect(stack).toMatch(/^ {4}at waiting \(file:.*blocked-worker\.mjs:\d+:\d+\)\n/);
  });

  test('of a worker that is not blocked is where it happens to be, and it goes on', async () => {
    const worker = await start('ticking');
    expect(await blockedStack({ ...worker, timeout: LONG })).toMatch(/^ {4}at /);
    await worker.says(/^tick/);
    await worker.says(/^tick/);
  });

  test('of a worker that runs no JavaScript is not to be had, and it is not stopped later', async () => {
    const worker = await start('idle');
    await sleeping(worker);
    expect(await blockedStack({ ...worker, timeout: SHORT })).toBeUndefined();
    const heard = worker.says(/^heard/);
    worker.child.stdin.write('this\n');
    expect(await heard).toBe('heard this');
  });

  test('is not to be had where the process is gone, or cannot be inspected', async () => {
    const { stderr, listeners } = await start('idle');
    expect(await blockedStack({ pid: NO_PROCESS, stderr, timeout: LONG })).toBeUndefined();
    const mute = spawn('sleep', ['600']); // SIGUSR1 ends it
    const ended = once(mute, 'close');
    expect(await blockedStack({ pid: mute.pid as number, stderr, timeout: SHORT })).toBeUndefined();
    expect((await ended)[1]).toBe('SIGUSR1');
    expect(listeners.size).toBe(0);
  });

  test.each([
    ['had', 'loop', String(600_000), expect.stringContaining('spinForEver')],
    ['not had', 'native', String(SHORT), undefined],
  ])('leaves no timer, socket or listener where it is %s', async (_, state, timeout, stack) => {
    const arbiter = new SpecProcess(process.execPath, [ARBITER, MODULE, PROGRAM, state, timeout]);
    expect(await arbiter.finished).toEqual({ code: 0, signal: null });
    expect(JSON.parse(arbiter.stdout)).toEqual({ stack, listeners: 0 });
  });

  describe('is asked of nobody but the inspector', () => {
    const id = '01234567-89ab-cdef-0123-456789abcdef';
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      socket.on('error', () => {});
      socket.end('no inspector');
    });
    let port = 0;

    beforeAll(async () => {
      await once(server.listen(0, '127.0.0.1'), 'listening');
      ({ port } = server.address() as AddressInfo);
    });

    afterAll(() => void server.close());

    async function askedAfter(line: string): Promise<number> {
      connections = 0;
      const { pid } = await start('idle');
      const stderr = (listener: (line: string) => void): (() => void) => {
        const timer = setTimeout(() => listener(line.replace('PORT', String(port))));
        return () => clearTimeout(timer);
      };
      expect(await blockedStack({ pid, stderr, timeout: SHORT })).toBeUndefined();
      return connections;
    }

    test('whatever else the application writes', async () => {
      expect(await askedAfter(`said: Debugger listening on ws://127.0.0.1:PORT/${id}`)).toBe(0);
      expect(await askedAfter(`Debugger listening on ws://localhost:PORT/${id}`)).toBe(0);
      expect(await askedAfter(`Debugger listening on ws://127.0.0.1:PORT/${id}?x`)).toBe(0);
      expect(await askedAfter('Debugger listening on ws://127.0.0.1:PORT/')).toBe(0);
    });

    test('and another server that it names leads to nothing', async () => {
      expect(await askedAfter(`Debugger listening on ws://127.0.0.1:PORT/${id}`)).toBe(1);
    });
  });

  test('is for those who read its stderr only: its port tells nobody the identifier', async () => {
    const worker = await start('loop');
    const address = new Promise<string>((resolve) => {
      worker.stderr((line) => {
        const match = /^Debugger listening on (ws:.*)$/.exec(line)?.[1];
        if (match !== undefined) resolve(match);
      });
    });
    worker.child.kill('SIGUSR1');
    const { host, pathname } = new URL(await address);
    for (const path of ['/json', '/json/list', '/json/version', '/json/protocol', '/']) {
      const response = await fetch(`http://${host}${path}`, { signal: AbortSignal.timeout(LONG) });
      expect(await response.text()).not.toContain(pathname.slice(1));
    }
    for (const path of ['/', `/${'0'.repeat(8)}${pathname.slice(9)}`]) {
      const stranger = new WebSocket(`ws://${host}${path}`);
      const [error] = (await once(stranger, 'error').catch((thrown: unknown) => [thrown])) as [Error];
      expect(error.message).toMatch(/400|socket hang up/);
    }
  });
});
