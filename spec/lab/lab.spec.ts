// `postfork lab`: the law, the faults and the fixes with real servers, by their figures.

import type { CellResult, FailureKind } from '../../lib/lab/result.ts';
import { findNative } from '../../lib/lab/run/native.ts';
import { labCommand, type LabRun } from './lab-command.ts';

const N = 20; // requests of each cell
const WITHIN = 120_000; // ms for a run, of a slow machine too
const lab = labCommand();

const CELLS = `
  fork/none/w2/m0 fork/none/w4/m0 fork/none/w4/m5 fork/none/w4/m1
  fork/lazy/w4/m5 fork/started/w4/m5 fork/pgbouncer-strict/w4/m5 fork/pgbouncer-strict/w2/m1
  fork/pgbouncer-lenient/w4/m5 fork/postfork/w4/m0 fork/postfork/w4/m5 fork/guard/w4/m0
  single/none single/lazy in-process/none spawn/none/w2/m0 spawn/none/w2/m5
  fork/none/w4/m0/c8 fork/postfork/w4/m0/c8 fork/none/w4/m0/pg-plain fork/none/w4/m0/c8/pg-plain
`
  .trim()
  .split(/\s+/);

let run: LabRun;
beforeAll(async () => {
  run = await lab.run(['--requests', String(N), '--driver', 'pg', 'pg-plain', '--only', ...CELLS]);
}, WITHIN);

const failed = ({ failures }: CellResult): number => Object.values(failures).reduce((sum, count) => sum + count, 0);
/** Whether all failures of a cell are of one kind. */
const expectOnly = (result: CellResult, kind: FailureKind, count: number): void => {
  expect(result.failures).toEqual({ ...NONE, [kind]: count });
};
const pictured = (id: string): NonNullable<CellResult['timeline']> => {
  const { timeline } = run.cell(id);
  if (timeline === null) throw new Error(`${id} has no picture`);
  return timeline;
};
const NONE = { OperationalError: 0, InterfaceError: 0, crossed: 0, hang: 0, death: 0, other: 0 };

test('all cells that were asked for are run, in the matrix’s order, and the law holds: exit code 0', () => {
  expect(run.result.cells.map(({ cell }) => cell.id).toSorted()).toEqual(CELLS.toSorted());
  expect(run.result.cells[0]?.cell.id).toBe('fork/none/w2/m0');
  expect(run.result.left).toEqual([]);
  for (const result of run.result.cells) {
    expect({ id: result.cell.id, answered: result.answered + failed(result) }).toEqual({
      id: result.cell.id,
      answered: result.requests,
    });
    expect([null, failed(result)]).toContain(result.predicted);
  }
  expect(run.exit).toEqual({ code: 0, signal: null });
  expect(lab.leftOver()).toEqual([]);
});

describe('the thread’s deployment, without a fix', () => {
  test.each([
    ['fork/none/w2/m0', 1, 2],
    ['fork/none/w4/m0', 1, 4],
    ['fork/none/w4/m5', 4, 7], // each serves 5 at most; at the end 4 may have served some
    ['fork/none/w4/m1', N, N],
  ])('%s: workers that served, less one, fail with OperationalError', (id, least, most) => {
    const result = run.cell(id);
    const { requests, workersServed, predicted, answered, connects, backends } = result;
    expect(requests).toBe(N);
    expect(workersServed).toBeGreaterThanOrEqual(least);
    expect(workersServed).toBeLessThanOrEqual(most);
    expect(predicted).toBe(workersServed - 1);
    expectOnly(result, 'OperationalError', workersServed - 1);
    // The first of all uses the connection of the import; who fails opens none; every other request opens its own.
    expect(connects).toBe(answered);
    expect(backends).toBe(connects);
  });

  test('a worker for each request: all but the first fail', () => {
    expect(run.cell('fork/none/w4/m1')).toMatchObject({
      answered: 1,
      failures: { OperationalError: N - 1 },
      connects: 1,
    });
  });

  test('each failure has its text, on the page and from the application', () => {
    const { errors } = run.cell('fork/none/w4/m1');
    for (const source of ['page', 'application']) {
      const texts = errors.filter((error) => error.source === source);
      expect(texts.reduce((sum, { count }) => sum + count, 0)).toBe(N - 1);
      expect(texts.every(({ kind, text }) => kind === 'OperationalError' && /^OperationalError: ./.test(text))).toBe(
        true,
      );
    }
  });
});

describe('the fixes', () => {
  test('no query at import: nothing fails, each request connects once', () => {
    expect(run.cell('fork/lazy/w4/m5')).toMatchObject({ answered: N, predicted: 0, connects: N, backends: N });
  });

  test('request_started closes: nothing fails, and the connection of the import is one more', () => {
    expect(run.cell('fork/started/w4/m5')).toMatchObject({
      answered: N,
      predicted: 0,
      connects: N + 1,
      backends: N + 1,
    });
  });

  test('pgbouncer, strict close: InterfaceErrors for as long as a worker lives that is not the first', () => {
    const result = run.cell('fork/pgbouncer-strict/w4/m5');
    const { answered, connects, backends } = result;
    expectOnly(result, 'InterfaceError', N - answered);
    expect(answered).toBeGreaterThanOrEqual(1);
    expect(answered).toBeLessThanOrEqual(5); // of the first alone
    expect(connects).toBe(answered);
    expect(backends).toBeGreaterThanOrEqual(1);
    expect(backends).toBeLessThanOrEqual(connects);
    const each = run.cell('fork/pgbouncer-strict/w2/m1');
    expectOnly(each, 'InterfaceError', N - 1);
    expect(each.connects).toBe(1);
    expect(each.errors).toContainEqual({
      kind: 'InterfaceError',
      text: 'InterfaceError: connection already closed',
      count: N - 1,
      source: 'page',
    });
  });

  test('pgbouncer, lenient close: each worker but the first fails once', () => {
    const result = run.cell('fork/pgbouncer-lenient/w4/m5');
    expectOnly(result, 'OperationalError', result.workersServed - 1);
    expect(result.workersServed).toBeGreaterThanOrEqual(4);
    expect(result.connects).toBe(result.answered);
    expect(result.backends).toBeLessThanOrEqual(result.connects);
  });

  describe('Postfork’s connections', () => {
    test.each(['fork/postfork/w4/m0', 'fork/postfork/w4/m5'])(
      '%s: nothing fails; a connection for the import and one for each request',
      (id) => {
        const result = run.cell(id);
        expect(result).toMatchObject({ answered: N, failures: NONE, predicted: 0, errors: [] });
        expect(result.connects).toBe(N + 1);
        expect(result.backends).toBe(N + 2); // the first worker asks the server once how many it allows
      },
    );

    test('children discard the import’s, and its session goes on to the end', () => {
      const { processes, connections, events, sessions } = pictured('fork/postfork/w4/m0');
      const [master, ...workers] = processes;
      const [inherited] = connections;
      expect(processes.map(({ role }) => role)).toEqual(['master', 'worker', 'worker', 'worker', 'worker']);
      expect(inherited?.openedBy).toBe(master?.pid);
      expect(new Set(inherited?.inheritedBy)).toEqual(new Set(workers.map(({ pid }) => pid)));
      const ofIt = events.filter(({ connection }) => connection === inherited?.id);
      const discarded = ofIt.filter(({ what }) => what === 'discard').map(({ pid }) => pid);
      expect(discarded).toHaveLength(4);
      expect(new Set(discarded)).toEqual(new Set(inherited?.inheritedBy));
      expect(ofIt.filter(({ what }) => what === 'close' || what === 'error')).toEqual([]);
      const session = sessions.find(({ id }) => id === inherited?.session);
      expect(session).toMatchObject({ server: 'postgresql', to: null });
    });
  });

  test('the fork guard refuses to start, and names the line of the site', () => {
    const guard = run.cell('fork/guard/w4/m0');
    expect(guard).toMatchObject({ requests: 0, answered: 0, failures: NONE, workersServed: 0, connects: 1 });
    expect(guard.refused).toMatch(/^The application has opened a connection while it was loaded, before the fork\./);
    expect(guard.refused).toMatch(/^ {4}at async file:\/\/\S*\/site\.mjs:\d+:\d+$/m);
  });
});

describe('where nobody forks', () => {
  test.each(['single/none', 'in-process/none'])('%s: nothing fails', (id) => {
    expect(run.cell(id)).toMatchObject({ answered: N, predicted: 0, workersServed: 1, connects: N, backends: N });
  });

  test('single/lazy: nothing fails', () => {
    expect(run.cell('single/lazy')).toMatchObject({ answered: N, predicted: 0, connects: N });
  });

  test('spawned workers have a connection each', () => {
    const two = run.cell('spawn/none/w2/m0');
    expect(two).toMatchObject({ answered: N, failures: NONE, predicted: 0 });
    // Each has opened one at its import; who has served has used it for a request.
    expect(two.connects).toBe(N + 2 - two.workersServed);
    const replaced = run.cell('spawn/none/w2/m5');
    expect(replaced).toMatchObject({ answered: N, failures: NONE, predicted: 0 });
    expect(replaced.workersServed).toBeGreaterThanOrEqual(4);
  });
});

describe('several requests at a time', () => {
  test('the law says nothing, and every request is accounted for', () => {
    for (const id of ['fork/none/w4/m0/c8', 'fork/none/w4/m0/c8/pg-plain', 'fork/none/w4/m0/pg-plain']) {
      const result = run.cell(id);
      expect(result.predicted).toBeNull();
      expect(result.answered + failed(result)).toBe(result.requests);
      expect(result.requests === N || result.failures.hang >= 10).toBe(true); // then the rest is not asked for
      expect(result.connects).toBeGreaterThanOrEqual(1);
    }
  });

  test('Postfork’s connections: nothing fails', () => {
    expect(run.cell('fork/postfork/w4/m0/c8')).toMatchObject({ requests: N, answered: N, failures: NONE });
  });
});

describe('pictures', () => {
  test('are of one cell of each fix that was forked, with 4 workers for ever where there is one', () => {
    expect(run.result.cells.filter(({ timeline }) => timeline !== null).map(({ cell }) => cell.id)).toEqual([
      'fork/none/w4/m0',
      'fork/lazy/w4/m5',
      'fork/started/w4/m5',
      'fork/pgbouncer-strict/w2/m1',
      'fork/pgbouncer-lenient/w4/m5',
      'fork/postfork/w4/m0',
      'fork/guard/w4/m0',
      'fork/none/w4/m0/pg-plain',
    ]);
  });

  test('show the thread: the import’s connection in all children, closed by the first that serves', () => {
    const { connections, events, sessions, processes, shown } = pictured('fork/none/w4/m0');
    expect(shown).toBe(12);
    expect(processes.map(({ role }) => role)).toEqual(['master', 'worker', 'worker', 'worker', 'worker']);
    const [inherited, ...own] = connections;
    expect(new Set(inherited?.inheritedBy)).toEqual(new Set(processes.slice(1).map(({ pid }) => pid)));
    const begun = events.filter(({ what }) => what === 'begin');
    const closed = events.filter(({ what, connection }) => what === 'close' && connection === inherited?.id);
    expect(closed[0]).toMatchObject({ pid: begun[0]?.pid, request: 1 });
    const session = sessions.find(({ id }) => id === inherited?.session);
    expect(session?.to).not.toBeNull();
    const failures = events.filter(({ what }) => what === 'error');
    expect(failures.every(({ connection }) => connection === inherited?.id)).toBe(true);
    expect(failures.map(({ pid }) => pid)).toEqual([...new Set(failures.map(({ pid }) => pid))]); // once each
    expect(own).toHaveLength(12 - 1 - failures.length);
    expect(own.every((connection) => sessions.some(({ id }) => id === connection.session))).toBe(true);
  });

  test('show pgbouncer’s clients as the sessions of its cells', () => {
    const { connections, sessions } = pictured('fork/pgbouncer-lenient/w4/m5');
    for (const { session } of connections)
      expect(sessions).toContainEqual(expect.objectContaining({ server: 'pgbouncer', id: session }));
  });
});

describe('what it tells', () => {
  test('a line for each cell while it runs', () => {
    expect(run.stderr).toMatch(/^lab: 21 cells of 20 requests; starting PostgreSQL and lighttpd$/m);
    expect(run.stderr).toMatch(/^\[ 1\/21\] fork\/none\/w2\/m0 +\d of 20 failed, the law says \d \(\d+\.\d s\)$/m);
    expect(run.stderr).toMatch(/^\[ *\d+\/21\] fork\/none\/w4\/m1 +19 of 20 failed, the law says 19 \(/m);
    expect(run.stderr).toMatch(/^\[ *\d+\/21\] fork\/guard\/w4\/m0 +refuses to start \(/m);
    expect(run.stderr).not.toContain('(!)');
  });

  test('the table on stdout, and where the report is on stderr', () => {
    expect(run.stdout).toMatch(/^fork 4w m1 +19\/20 ✓/m);
    expect(run.stdout).toMatch(/^fork 4w m0 .*refuses/m);
    expect(run.stderr).toMatch(/^lab: the report with its pictures: file:\/\/\S+\/report\.html$/m);
  });

  test('report.html, with the figures, and nothing from elsewhere', () => {
    expect(run.html).toMatch(/^<!doctype html>/i);
    expect(run.html).toContain('19 of 20');
    expect(run.html).not.toMatch(/(?:src|href)="https?:/);
  });

  test('report.json: when, how long, what was typed and which versions', () => {
    const { startedAt, seconds, command, versions, webServer } = run.result;
    expect(new Date(startedAt).toISOString()).toBe(startedAt);
    expect(seconds).toBeGreaterThanOrEqual(run.result.cells.reduce((sum, one) => sum + one.seconds, 0) - 0.1);
    expect(command).toMatch(/^postfork lab --requests 20 --driver pg pg-plain --only fork\/none\/w2\/m0 /);
    expect(versions).toMatchObject({
      node: process.versions.node,
      postgresql: expect.stringMatching(/^18\./) as string,
    });
    expect(Object.keys(versions)).toEqual(expect.arrayContaining(['postfork', 'pg', 'lighttpd', 'pgbouncer']));
    expect(webServer).toBe('lighttpd');
  });
});

test(
  'behind nginx it is the same',
  async () => {
    const args = ['--web-server', 'nginx', '--requests', '10', '--only', 'fork/none/w2/m1'];
    const { exit, result } = await lab.run(args);
    expect(exit.code).toBe(0);
    expect(result.webServer).toBe('nginx');
    expect(result.cells).toMatchObject([{ answered: 1, failures: { ...NONE, OperationalError: 9 }, predicted: 9 }]);
  },
  WITHIN,
);

const whereNativeIs = findNative(process.cwd()) === undefined ? describe.skip : describe; // elsewhere: run/plan.spec.ts

whereNativeIs('on libpq', () => {
  test(
    'it is the same, with the thread’s words',
    async () => {
      const { exit, result } = await lab.run(['--requests', '10', '--only', 'fork/none/w2/m1/pg-native']);
      expect(exit.code).toBe(0);
      expect(result.cells).toMatchObject([{ answered: 1, failures: { ...NONE, OperationalError: 9 }, predicted: 9 }]);
      const text = `OperationalError: server closed the connection unexpectedly
\tThis probably means the server terminated abnormally
\tbefore or while processing the request.`;
      const error = { kind: 'OperationalError', text, count: 9, source: 'page' };
      expect(result.cells[0]?.errors).toContainEqual(error);
    },
    WITHIN,
  );
});
