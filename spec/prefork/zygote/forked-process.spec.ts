// A forked child is a process of its own: randomness, ways out, what works in it, and what forking leaves in its parent.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../support/temporary.ts';

const FLAGS = ['--v8-pool-size=0', '--single-threaded'];
const program = (name: string): string => join(__dirname, '../../programs', `fork-${name}.mjs`);
const LATE = 60_000;

interface End {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  ms: number;
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;
const folder = temporaryFolder();

/** Run a program to its end in the temporary folder. */
async function run(args: string[]): Promise<Omit<End, 'ms'>> {
  // A core file is allowed where the system allows it, so that one would be seen.
  const shell = 'ulimit -c unlimited 2>/dev/null; exec "$@"';
  const child = spawn('sh', ['-c', shell, 'sh', process.execPath, ...args], {
    cwd: folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LATE,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, stdout, stderr };
}

/** What a program that forks has to tell. */
async function report<T>(name: string, ...flags: string[]): Promise<T> {
  const { code, signal, stdout, stderr } = await run([...FLAGS, ...flags, program(name)]);
  if (code !== 0) throw new Error(`${name}: ${code ?? signal}\n${stderr}`);
  return JSON.parse(stdout) as T;
}

beforeAll(() => {
  execFileSync(process.execPath, [join(__dirname, '../../../scripts/build-addon.mjs')]);
});

onLinux('randomness', () => {
  type Values = Record<string, unknown[]>;
  let processes: Values[];

  beforeAll(async () => {
    processes = await report<Values[]>('random');
  }, LATE);

  test.each([
    'random',
    'randomOfMath',
    'randomUUID',
    'randomUUIDOfWebCrypto',
    'randomInt',
    'randomBytes',
    'getRandomValues',
    'getRandomValuesOfWebCrypto',
  ])('%s never returns a value in two processes', (kind) => {
    const all = processes.flatMap((values) => values[kind] ?? []);
    expect(processes).toHaveLength(11); // the parent before, between and after, and 8 children
    expect(all.length).toBeGreaterThanOrEqual(11 * 300);
    expect(new Set(all).size).toBe(all.length);
  });

  test('Math.random is even, and uses all of its 53 bits', () => {
    const all = processes.flatMap((values) => [
      ...(values['random'] ?? []),
      ...(values['randomOfMath'] ?? []),
    ]) as number[];
    expect(all.every((value) => value >= 0 && value < 1)).toBe(true);
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.03); // 8 standard deviations of 6600 values
    expect(all.some((value) => (value * 2 ** 53) % 2 === 1)).toBe(true);
  });
});

onLinux('the way out of a child', () => {
  let ends: Record<string, End>;

  beforeAll(async () => {
    ends = await report('exits', '--max-old-space-size=64');
  }, LATE);

  const LISTENED = [
    'exit',
    'exitOfText',
    'emptyLoop',
    'exitCode',
    'moreWork',
    'exitBeforeExit',
    'uncaught',
    'uncaughtText',
    'uncaughtAtOnce',
    'rejection',
    'rejectionOfText',
    'ownListener',
    'ownRejectionListener',
    'throwingListener',
    'throwingExitListener',
    'takenAtExit',
    'throwingInExit',
    'output',
  ];

  test.each([...LISTENED, 'terminated', 'terminatedWhileBusy'])('%s: as a process that was not forked', async (way) => {
    const { code, signal, stdout } = await run([program('exits'), way]);
    expect(ends[way]).toMatchObject({ code, signal, stdout });
  });

  test.each<[string, RegExp]>([
    [
      'uncaught',
      /^TypeError: nobody catches it\n    at .*fork-exits.mjs[^]*\[cause\]: Error: the cause[^]*\n\nNode\.js v/,
    ],
    ['uncaughtText', /^Uncaught:\n'only a text'\n\nNode\.js v/],
    ['rejection', /^Error: nobody handles it\n    at /],
    ['rejectionOfText', /^UnhandledPromiseRejection: .*"only a text"/],
    ['throwingListener', /^Error: in the listener\n    at /],
  ])('%s says why on stderr', (way, message) => {
    expect(ends[way]?.stderr).toMatch(message);
  });

  test('abort() and a heap that is full end by a signal', () => {
    expect(ends['abort']).toMatchObject({ code: null, signal: 'SIGABRT' });
    expect(ends['outOfMemory']).toMatchObject({
      code: null,
      signal: expect.stringMatching(/^SIG(ABRT|TRAP|ILL)$/) as string,
    });
  });

  test('is prompt, and leaves no core file', () => {
    for (const [way, { ms }] of Object.entries(ends)) expect([way, ms]).toEqual([way, expect.any(Number)]);
    expect(Object.entries(ends).filter(([, { ms }]) => ms > 10_000)).toEqual([]);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('stdout and stderr arrive apart', () => {
    expect(ends['output']).toMatchObject({ stdout: 'o'.repeat(20_000), stderr: 'e'.repeat(20_000) });
  });
});

onLinux('a child', () => {
  interface Life {
    tried: Record<string, unknown>;
    stderr: string;
    codes: number[];
    pids: number;
    killed: [null, string];
    inThread: string;
    closed: string;
    low: string;
    noChild: string;
    anyChild: string[];
    unfinished: Record<'before' | 'during' | 'after', string[]>;
    zombies: number;
    left: number;
  }
  let life: Life;

  beforeAll(async () => {
    life = await report('life');
  }, LATE);

  test('can do what any process can', () => {
    expect(life.tried).toEqual({
      pid: true,
      title: true,
      timers: 'late',
      sockets: true,
      sharedSocket: true,
      files: 'text',
      zlib: 'squeezed',
      crypto: 8,
      dns: true,
      childProcess: 'from a shell\n',
      childProcessSync: 3,
      childOfChild: 'null SIGKILL',
      thread: true,
      threadThatExits: 4,
      importing: 'StringDecoder',
      unhurt: true,
    });
    expect(life.stderr).toBe('all tried\n');
  });

  test('is waited for, one by one', () => {
    expect(life.codes).toEqual(Array.from({ length: 20 }, (_, at) => at));
    expect(life.pids).toBe(20);
    expect(life.killed).toEqual([null, 'SIGKILL']);
    expect(life.noChild).toBe('ECHILD');
    expect(life.anyChild).toEqual(['EINVAL', 'EINVAL']);
  });

  test('leaves no descriptor and no zombie in its parent', () => {
    expect(life).toMatchObject({ left: 0, zombies: 0 });
  });

  test('is not forked from a thread, nor with descriptors that are not there', () => {
    expect(life).toMatchObject({ inThread: 'EPERM', closed: 'EBADF', low: 'EBADF' });
  });

  test('would miss the end of what unfinishedWork() names, sockets not among it', () => {
    const { before, during, after } = life.unfinished;
    expect([before, after]).toEqual([[], []]);
    expect(during).toHaveLength(4); // zlib, crypto, a file, a name; and a connection
    expect(during).toEqual(expect.arrayContaining(['GetAddrInfoReqWrap', 'ThreadPool']));
  });
});
