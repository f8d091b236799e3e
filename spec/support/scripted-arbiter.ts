// An arbiter with workers that do what each test says, and a clock that goes when it is told to.

import { Arbiter, type ArbiterOptions } from '../../lib/prefork/index.ts';
import { ScriptedSource, serves, type Behaviour, type ScriptedWorker } from './scripted-source.ts';

/** The arbiter's time limits where a test gives none, in milliseconds. */
export const BOOT = 10_000;
export const WORKER = 5000;
export const STOP = 8000;

/** How a worker ends that was killed. */
export const KILLED = { code: null, signal: 'SIGKILL' } as const;

/** A line of the arbiter's log. */
export interface Line {
  readonly level: string;
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

/** What a test has; all of it may be taken apart, as none needs `this`. */
export interface ScriptedArbiter {
  /** What workers do, one for each generation to come; the last one goes on. Default: they serve. */
  readonly behave: (...behaviours: Behaviour[]) => void;
  /** An arbiter that has not started. One for each test. */
  readonly make: (workers: number, options?: Partial<ArbiterOptions>) => Arbiter;
  /** Make one, and wait until it has started. Its first source. */
  readonly started: (workers: number, options?: Partial<ArbiterOptions>) => Promise<ScriptedSource>;
  /** The one that was made. */
  readonly arbiter: () => Arbiter;
  /** Of all generations. A test with a `source` of its own adds it. */
  readonly sources: ScriptedSource[];
  readonly source: (generation: number) => ScriptedSource;
  /** Of all sources, in the order of their start. */
  readonly workers: () => ScriptedWorker[];
  readonly running: () => ScriptedWorker[];
  /** Of the workers, as the arbiter's status has them. */
  readonly states: () => string[];
  readonly lines: readonly Line[];
  /** The messages of one level. */
  readonly logged: (level: string) => string[];
  /** Time goes by, in milliseconds. */
  readonly pass: (ms: number) => Promise<void>;
  /** Time goes by in which workers say that they live: these, or all that run. */
  readonly live: (ms: number, ...alive: ScriptedWorker[]) => Promise<void>;
  /** The clock has gone on without the timers, as where the process was stopped for so many milliseconds. */
  readonly oversleep: (ms: number) => void;
}

/**
 * The arbiter of each test of the enclosing `describe`, stopped after it; a test that leaves a timer behind fails.
 * Call it where hooks may be registered, not inside a test:
 *
 *     const { started, states } = scriptedArbiter();
 *     test('...', async () => {
 *       await started(2);
 *       expect(states()).toEqual(['ready', 'ready']);
 *     });
 */
export function scriptedArbiter(): ScriptedArbiter {
  const sources: ScriptedSource[] = [];
  const lines: Line[] = [];
  let behaviours: Behaviour[];
  let arbiter: Arbiter;
  let asleep: number;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date'] });
    const now = performance.now.bind(performance);
    asleep = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => now() + asleep);
    sources.length = 0;
    behaviours = [serves];
    lines.length = 0;
  });

  afterEach(async () => {
    for (const worker of workers()) worker.onKill = (signal) => worker.end({ code: null, signal });
    const stopped = arbiter.stop(0);
    await pass(15_000);
    await stopped;
    const timers = jest.getTimerCount();
    jest.restoreAllMocks();
    jest.useRealTimers();
    if (timers > 0) throw new Error(`${timers} timers are left`);
  });

  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 250) {
      await jest.advanceTimersByTimeAsync(Math.min(250, ms - passed));
      await settle();
    }
  }

  async function live(ms: number, ...alive: ScriptedWorker[]): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      for (const worker of alive.length > 0 ? alive : running()) worker.load(0);
      await settle();
      await pass(Math.min(1000, ms - passed));
    }
  }

  function make(workers: number, options: Partial<ArbiterOptions> = {}): Arbiter {
    const log = (level: string) => (fields: object, message: string) =>
      void lines.push({ level, fields: fields as Record<string, unknown>, message });
    arbiter = new Arbiter({
      scaling: { kind: 'static', workers },
      source: () => {
        const next = behaviours.length > 1 ? behaviours.shift() : behaviours[0];
        const source = new ScriptedSource(next);
        sources.push(source);
        return source;
      },
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      onWorker: () => {},
      bootTimeout: BOOT,
      workerTimeout: WORKER,
      stopTimeout: STOP,
      ...options,
    });
    return arbiter;
  }

  async function started(workers: number, options: Partial<ArbiterOptions> = {}): Promise<ScriptedSource> {
    const start = make(workers, options).start();
    await settle();
    await start;
    return source(0);
  }

  const source = (generation: number): ScriptedSource => sources[generation] as ScriptedSource;
  const workers = (): ScriptedWorker[] => sources.flatMap(({ workers }) => workers);
  const running = (): ScriptedWorker[] => workers().filter(({ running }) => running);

  return {
    behave: (...next) => void (behaviours = next),
    make,
    started,
    arbiter: () => arbiter,
    sources,
    source,
    workers,
    running,
    states: () => arbiter.status().workers.map(({ state }) => state),
    lines,
    logged: (level) => lines.filter((line) => line.level === level).map(({ message }) => message),
    pass,
    live,
    oversleep: (ms) => void (asleep = ms),
  };
}

/** Let everything happen that needs no time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** How a promise ended after everything that needs no time, `done` or its error, or that it is `pending`. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let is: unknown = 'pending';
  promise.then(
    () => (is = 'done'),
    (error: unknown) => (is = error),
  );
  await settle();
  return is;
}

/** Why a promise rejects. */
export function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it was expected to fail');
    },
    (error: unknown) => error,
  );
}
