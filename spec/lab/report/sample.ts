// Results of the lab made by hand, for the specs of its report.

import type {
  Cell,
  CellResult,
  LabResult,
  Timeline,
  TimelineConnection,
  TimelineEvent,
  TimelineSession,
} from '../../../lib/lab/result.ts';

const NO_FAILURES: CellResult['failures'] = {
  OperationalError: 0,
  InterfaceError: 0,
  crossed: 0,
  hang: 0,
  death: 0,
  other: 0,
};

export const CLOSED_UNEXPECTEDLY = `OperationalError: server closed the connection unexpectedly
\tThis probably means the server terminated abnormally
\tbefore or while processing the request.`;

export interface CellGiven {
  readonly cell?: Partial<Cell>;
  readonly failures?: Partial<CellResult['failures']>;
  readonly result?: Partial<Omit<CellResult, 'cell' | 'failures'>>;
}

/** `fork/none/w4/m0`, of which all 100 requests are answered, unless something else is given. */
export function cellResult({ cell: given = {}, failures: some = {}, result = {} }: CellGiven = {}): CellResult {
  const { deployment = 'fork', driver = 'pg', fix = 'none', workers = 4, maxRequests = 0, concurrency = 1 } = given;
  const size = deployment === 'fork' || deployment === 'spawn' ? [`w${workers}`, `m${maxRequests}`] : [];
  const parts = [
    deployment,
    fix,
    ...size,
    ...(concurrency > 1 ? [`c${concurrency}`] : []),
    ...(driver === 'pg' ? [] : [driver]),
  ];
  const cell: Cell = { id: parts.join('/'), deployment, driver, fix, workers, maxRequests, concurrency };
  const failures = { ...NO_FAILURES, ...some };
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0);
  const requests = result.requests ?? 100;
  return {
    cell,
    requests,
    answered: requests - failed,
    failures,
    workersServed: workers,
    predicted: 0,
    copies: null,
    deaths: 0,
    amiss: [],
    django: null,
    connects: 101,
    backends: 101,
    errors: [],
    refused: null,
    timeline: null,
    seconds: 0.8,
    ...result,
  };
}

/** The thread's cell: as many fail as the law says. */
export function thread(cell: Partial<Cell>, served: number, result: CellGiven['result'] = {}): CellResult {
  const errors = [{ kind: 'OperationalError', text: CLOSED_UNEXPECTEDLY, count: served - 1, source: 'page' }] as const;
  return cellResult({
    cell,
    failures: { OperationalError: served - 1 },
    result: { workersServed: served, predicted: served - 1, errors, ...result },
  });
}

export function labResult(cells: readonly CellResult[], rest: Partial<LabResult> = {}): LabResult {
  return {
    startedAt: '2026-03-01T12:30:05.250Z',
    seconds: 192.4,
    command: 'postfork lab --requests 100',
    versions: {
      postfork: '0.1.0',
      node: '20.20.0',
      postgresql: '18.1',
      lighttpd: '1.4.76',
      pgbouncer: '1.18.0',
      pg: '8.23.1',
    },
    webServer: 'lighttpd',
    cells,
    left: ['pg-native: it is not installed: npm install pg-native'],
    ...rest,
  };
}

export const MASTER = 4700;
export const CHILDREN = [4711, 4712, 4713, 4714] as const;

/** Writes down the events of a deployment of 1 master and 4 children, with clocks of its own. */
export class TimelineBuilder {
  readonly #events: TimelineEvent[] = [];
  readonly #connections: TimelineConnection[] = [];
  readonly #sessions: TimelineSession[] = [];
  readonly #server: TimelineSession['server'];
  #at = 0;
  #shown = 0;

  constructor(server: TimelineSession['server'] = 'postgresql') {
    this.#server = server;
  }

  after(ms: number): this {
    this.#at += ms;
    return this;
  }

  event(
    pid: number,
    what: TimelineEvent['what'],
    connection: number | null = null,
    request: number | null = null,
  ): this {
    const text = what === 'error' ? { text: CLOSED_UNEXPECTEDLY } : {};
    this.#events.push({ at: this.#at, pid, what, connection, request, ...text });
    return this.after(0.6);
  }

  /** The session begins a little before the process knows. */
  open(pid: number, request: number | null, inheritedBy: readonly number[] = []): number {
    const id = this.#connections.length + 1;
    const session = 4800 + id;
    this.#connections.push({ id, openedBy: pid, session, inheritedBy });
    this.#sessions.push({ server: this.#server, id: session, from: this.#at, to: null });
    this.after(2.4).event(pid, 'open', id, request);
    return id;
  }

  close(pid: number, connection: number, request: number): this {
    const at = this.#sessions.findIndex(({ id }) => id === 4800 + connection);
    const session = this.#sessions[at];
    if (session !== undefined && session.to === null) this.#sessions[at] = { ...session, to: this.#at + 0.4 };
    return this.event(pid, 'close', connection, request);
  }

  fork(): this {
    for (const pid of CHILDREN) this.event(pid, 'fork').after(-0.5);
    return this.after(120);
  }

  /** `work` gets the number of the request. */
  request(pid: number, work: (request: number) => void): this {
    const request = ++this.#shown;
    this.event(pid, 'begin', null, request);
    work(request);
    return this.after(1.2);
  }

  end(pid: number, request: number): this {
    return this.event(pid, 'end', null, request);
  }

  build(backends: readonly TimelineSession[] = []): Timeline {
    const processes = [
      { pid: MASTER, role: 'master' as const, from: 0 },
      ...CHILDREN.map((pid) => ({
        pid,
        role: 'worker' as const,
        from: this.#events.find((event) => event.pid === pid)?.at ?? 0,
      })),
    ];
    const sessions = [...this.#sessions, ...backends];
    return { processes, connections: this.#connections, sessions, events: this.#events, shown: this.#shown };
  }
}

/** The fault: 8 requests, of which those fail that are a child's first, but the first of all. */
export function faultTimeline(): Timeline {
  const timeline = new TimelineBuilder().after(430);
  const shared = timeline.open(MASTER, null, CHILDREN);
  timeline.event(MASTER, 'query', shared).after(40).fork();
  const has = new Map<number, number>(CHILDREN.map((pid) => [pid, shared]));
  const [one, two, three, four] = CHILDREN;
  for (const pid of [one, two, two, three, one, four, three, two]) {
    timeline.request(pid, (request) => {
      const inherited = has.get(pid);
      const dead = inherited !== undefined && request > 1;
      const connection = inherited ?? timeline.open(pid, request);
      timeline.event(pid, 'query', connection, request);
      timeline.event(pid, dead ? 'error' : 'query', connection, request);
      timeline.end(pid, request).close(pid, connection, request);
      has.delete(pid);
    });
  }
  return timeline.build();
}

/** Children discard what they have inherited, and each request has a connection of its own. */
export function discardTimeline(): Timeline {
  const timeline = new TimelineBuilder().after(430);
  const shared = timeline.open(MASTER, null, CHILDREN);
  timeline.event(MASTER, 'query', shared).after(40).fork();
  for (const pid of CHILDREN) timeline.event(pid, 'discard', shared).after(-0.2);
  for (const pid of [CHILDREN[0], CHILDREN[1], CHILDREN[2], CHILDREN[3], CHILDREN[0], CHILDREN[1]]) {
    timeline.request(pid, (request) => {
      const connection = timeline.open(pid, request);
      timeline.event(pid, 'query', connection, request).event(pid, 'query', connection, request);
      timeline.end(pid, request).close(pid, connection, request);
    });
  }
  return timeline.build();
}

/** The thread's workaround: at its beginning a request closes what it finds. */
export function startedTimeline(): Timeline {
  const timeline = new TimelineBuilder().after(430);
  const shared = timeline.open(MASTER, null, CHILDREN);
  timeline.event(MASTER, 'query', shared).after(40).fork();
  const fresh = new Set<number>(CHILDREN);
  for (const pid of [CHILDREN[0], CHILDREN[2], CHILDREN[1], CHILDREN[0], CHILDREN[3]]) {
    timeline.request(pid, (request) => {
      if (fresh.delete(pid)) timeline.close(pid, shared, request);
      const connection = timeline.open(pid, request);
      timeline.event(pid, 'query', connection, request);
      timeline.end(pid, request).close(pid, connection, request);
    });
  }
  return timeline.build();
}

/** pgbouncer keeps its backend; its client is gone as soon as one child has closed. Answers are crossed, one request hangs. */
export function pooledTimeline(): Timeline {
  const timeline = new TimelineBuilder('pgbouncer').after(430);
  const shared = timeline.open(MASTER, null, CHILDREN);
  timeline.event(MASTER, 'query', shared).after(40).fork();
  const [one, two, three] = CHILDREN;
  timeline.event(one, 'begin', null, 1).event(two, 'begin', null, 2);
  timeline.event(one, 'query', shared, 1).event(two, 'query', shared, 2).event(two, 'foreign', shared, 2);
  timeline.end(two, 2).close(two, shared, 2);
  timeline.event(three, 'begin', null, 3).event(three, 'error', shared, 3).end(three, 3);
  return { ...timeline.build([{ server: 'postgresql', id: 4801, from: 431, to: null }]), shown: 3 };
}

/** A whole run: the default matrix, with every fix. */
export function wholeRun(): LabResult {
  const requests = { 0: 0, 5: 21, 1: 99 } as const;
  const cells: CellResult[] = [
    cellResult({ cell: { deployment: 'in-process', workers: 1 } }),
    cellResult({ cell: { deployment: 'single', workers: 1 } }),
  ];
  for (const maxRequests of [0, 5, 1] as const) {
    for (const workers of [2, 4, 8]) {
      const cell = { workers, maxRequests };
      const served = maxRequests === 0 ? workers : requests[maxRequests] + (maxRequests === 5 ? workers - 3 : 1);
      const pictured = workers === 4 && maxRequests === 0;
      const django = workers === 4 ? { django: served - 1 } : {};
      const picture = (make: () => Timeline): { timeline?: Timeline } => (pictured ? { timeline: make() } : {});
      cells.push(
        cellResult({ cell: { ...cell, deployment: 'spawn' } }),
        thread(cell, served, { ...django, ...picture(faultTimeline) }),
        cellResult({
          cell: { ...cell, fix: 'lazy' },
          result: { connects: 100, ...(workers === 4 ? { django: 0 } : {}) },
        }),
        cellResult({
          cell: { ...cell, fix: 'started' },
          result: { ...(workers === 4 ? { django: 0 } : {}), ...picture(startedTimeline) },
        }),
        cellResult({
          cell: { ...cell, fix: 'pgbouncer-strict' },
          failures: { OperationalError: served - 2, InterfaceError: 1 },
          result: {
            workersServed: served,
            predicted: served - 1,
            connects: 101,
            backends: 1,
            errors: [
              { kind: 'InterfaceError', text: 'InterfaceError: connection already closed', count: 1, source: 'page' },
              { kind: 'OperationalError', text: CLOSED_UNEXPECTEDLY, count: served - 2, source: 'page' },
            ],
          },
        }),
        thread({ ...cell, fix: 'pgbouncer-lenient' }, served, { backends: 1, ...picture(pooledTimeline) }),
        cellResult({ cell: { ...cell, fix: 'postfork' }, result: picture(discardTimeline) }),
        cellResult({
          cell: { ...cell, fix: 'guard' },
          result: {
            requests: 0,
            answered: 0,
            connects: 1,
            backends: 1,
            refused:
              'ForkError: 1 connection is open before the fork:\n  127.0.0.1:5432, opened at app/config.ts:12:20',
          },
        }),
      );
    }
  }
  cells.push(
    thread({ driver: 'pg-native' }, 4),
    cellResult({
      cell: { driver: 'pg-plain' },
      failures: { crossed: 4, hang: 2, death: 3, other: 1 },
      result: {
        predicted: null,
        errors: [
          {
            kind: 'other',
            text: 'Received unexpected parseComplete message from backend',
            count: 1,
            source: 'application',
          },
        ],
      },
    }),
    cellResult({
      cell: { concurrency: 16 },
      failures: { OperationalError: 5, crossed: 2, hang: 1 },
      result: {
        predicted: null,
        errors: [{ kind: 'crossed', text: 'asked for session abc, was given session def', count: 2, source: 'page' }],
      },
    }),
  );
  return labResult(cells);
}
