// Who held which connection, from the journal and the servers' logs.

import type { Timeline } from '../../../lib/lab/result.ts';
import type { Run } from '../../../lib/lab/run/run.ts';
import type { Session } from '../../../lib/lab/run/server-log.ts';
import { timelineOf } from '../../../lib/lab/run/timeline.ts';
import { line, makeRun, requestsBy, session, START } from './runs.ts';

const [MASTER, ONE, TWO] = [50, 51, 52] as const;
const timeline = (journal: Run['journal'], sessions: readonly Session[] = [], requests = 100): Timeline =>
  timelineOf(makeRun({}, { journal }), sessions, requests);

/** The thread: a connection at import, two children with a copy, the first closes it for both. */
const THREAD = [
  line(1, MASTER, 'import'),
  line(5.0004, MASTER, 'open', { connection: '50-1', port: 4001 }),
  line(6, MASTER, 'query', { connection: '50-1' }),
  line(20, ONE, 'fork', { connection: '50-1' }),
  line(21, TWO, 'fork', { connection: '50-1' }),
  line(22, ONE, 'serve'),
  line(30, ONE, 'begin', { request: 1 }),
  line(31, ONE, 'query', { connection: '50-1', request: 1 }),
  line(33, ONE, 'close', { connection: '50-1', request: 1 }),
  line(34, ONE, 'end', { request: 1 }),
  line(40, TWO, 'begin', { request: 2 }),
  line(41, TWO, 'query', { connection: '50-1', request: 2 }),
  line(42, TWO, 'error', { connection: '50-1', request: 2, error: 'OperationalError: write EPIPE' }),
  line(43, TWO, 'close', { connection: '50-1', request: 2 }),
  line(44, TWO, 'end', { request: 2 }),
  line(50, TWO, 'begin', { request: 3 }),
  line(55, TWO, 'open', { connection: '52-2', port: 4007, request: 3 }),
  line(56, TWO, 'query', { connection: '52-2', request: 3 }),
  line(58, TWO, 'close', { connection: '52-2', request: 3 }),
  line(59, TWO, 'end', { request: 3 }),
  line(80, TWO, 'leave'),
];
const SESSIONS = [session(901, 4001, 3, 34), session(902, 4007, 52, 60)];

test('a connection of the import is in the children that were forked with it; theirs are their own', () => {
  expect(timeline(THREAD, SESSIONS).connections).toEqual([
    { id: 1, openedBy: MASTER, session: 901, inheritedBy: [ONE, TWO] },
    { id: 2, openedBy: TWO, session: 902, inheritedBy: [] },
  ]);
});

test('the master is who imports and does not serve; each process from its first line to its leave', () => {
  expect(timeline(THREAD, SESSIONS).processes).toEqual([
    { pid: MASTER, role: 'master', from: 1 },
    { pid: ONE, role: 'worker', from: 20 },
    { pid: TWO, role: 'worker', from: 21, to: 80 },
  ]);
});

test('spawned processes, and one that is alone, import and serve: workers', () => {
  const spawned = [line(1, ONE, 'import'), line(2, TWO, 'import'), ...requestsBy(ONE, ONE)];
  expect(timeline(spawned).processes.map(({ role }) => role)).toEqual(['worker', 'worker']);
});

test('what happened, in ms of the deployment, with its connection and request', () => {
  const { events } = timeline(THREAD, SESSIONS);
  expect(events.map(({ what }) => what).join(' ')).toBe(
    'open query fork fork begin query close end begin query error close end begin open query close end',
  );
  expect(events[0]).toEqual({ at: 5, pid: MASTER, what: 'open', connection: 1, request: null });
  expect(events[2]).toEqual({ at: 20, pid: ONE, what: 'fork', connection: 1, request: null });
  expect(events[4]).toEqual({ at: 30, pid: ONE, what: 'begin', connection: null, request: 1 });
  expect(events[10]).toEqual({
    at: 42,
    pid: TWO,
    what: 'error',
    connection: 1,
    request: 2,
    text: 'OperationalError: write EPIPE',
  });
  expect(events[14]).toEqual({ at: 55, pid: TWO, what: 'open', connection: 2, request: 3 });
});

describe('sessions', () => {
  test('have their end, where they have ended by the last event', () => {
    expect(timeline(THREAD, SESSIONS).sessions).toEqual([
      { server: 'postgresql', id: 901, from: 3, to: 34 },
      { server: 'postgresql', id: 902, from: 52, to: 60 },
    ]);
    const standing = [session(901, 4001, 3, 81), session(902, 4007, 52, null)];
    expect(timeline(THREAD, standing).sessions.map(({ to }) => to)).toEqual([null, null]);
  });

  test('of PostgreSQL are known by the process that the connection knows, where it has no port', () => {
    const journal = [line(1, ONE, 'open', { connection: '51-1', backend: 902 }), ...requestsBy(ONE)];
    expect(timeline(journal, SESSIONS).connections[0]?.session).toBe(902);
  });

  test('of pgbouncer are known by the port, though one behind it has the same', () => {
    const client: Session = { server: 'pgbouncer', id: 4007, port: 4007, from: START + 53, to: START + 60 };
    const { connections, sessions } = timeline(THREAD, [...SESSIONS, client]);
    expect(connections.map((one) => one.session)).toEqual([901, 4007]);
    expect(sessions).toContainEqual({ server: 'pgbouncer', id: 4007, from: 53, to: 60 });
  });

  test('that no server tells of are null', () => {
    expect(timeline(THREAD).connections.map((one) => one.session)).toEqual([null, null]);
  });
});

describe('a picture of the first requests', () => {
  test('ends where the next one begins', () => {
    const { events, connections, sessions, processes, shown } = timeline(THREAD, SESSIONS, 2);
    expect(shown).toBe(2);
    expect(events.at(-1)).toEqual({ at: 44, pid: TWO, what: 'end', connection: null, request: 2 });
    expect(connections).toHaveLength(1);
    expect(sessions).toEqual([{ server: 'postgresql', id: 901, from: 3, to: 34 }]);
    expect(processes.at(-1)).toEqual({ pid: TWO, role: 'worker', from: 21 });
  });

  test('does not show what was done for later requests in time for it', () => {
    const early = [...requestsBy(ONE, TWO), line(101, ONE, 'query', { connection: '51-1', request: 7 })];
    expect(timeline(early, [], 1).events.map(({ request }) => request)).toEqual([1, 1]);
  });

  test('of more requests than there were shows all', () => {
    expect(timeline(THREAD, SESSIONS, 12).shown).toBe(3);
  });
});

test('rows of somebody else are of the connection that was used last', () => {
  const journal = [
    line(1, ONE, 'open', { connection: '51-1', port: 1 }),
    line(2, ONE, 'query', { connection: '51-1', request: 1 }),
    line(3, TWO, 'query', { connection: '51-1', request: 2 }),
    line(4, TWO, 'foreign', { request: 2 }),
  ];
  expect(timeline(journal).events.at(-1)).toEqual({ at: 4, pid: TWO, what: 'foreign', connection: 1, request: 2 });
});

test('lines that come out of order are put in order', () => {
  expect(timeline(THREAD.toReversed(), SESSIONS)).toEqual(timeline(THREAD, SESSIONS));
});

test('of nothing there is nothing', () => {
  expect(timeline([])).toEqual({ processes: [], connections: [], sessions: [], events: [], shown: 0 });
});
