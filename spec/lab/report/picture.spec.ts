// The pictures: marks and bars from events, and what is told below them.

import { reportHtml } from '../../../lib/lab/report/index.ts';
import type { Timeline } from '../../../lib/lab/result.ts';
import {
  CHILDREN,
  MASTER,
  TimelineBuilder,
  cellResult,
  discardTimeline,
  faultTimeline,
  labResult,
  pooledTimeline,
  startedTimeline,
  wholeRun,
} from './sample.ts';

function figures(timelines: readonly Timeline[]): readonly string[] {
  const cells = timelines.map((timeline) => cellResult({ result: { timeline } }));
  return [...reportHtml(labResult(cells)).matchAll(/<figure>(.*?)<\/figure>/gs)].map(([figure]) => figure);
}

function figure(timeline: Timeline): string {
  return figures([timeline])[0] ?? '';
}

function told(timeline: Timeline): string {
  const caption = /<figcaption>(.*?)<\/figcaption>/s.exec(figure(timeline))?.[1] ?? '';
  return caption
    .replace(/<[^>]*>/g, '')
    .replaceAll('&#39;', "'")
    .replace(/\s+/g, ' ')
    .trim();
}

function counts(timeline: Timeline): Record<string, number> {
  const drawn = figure(timeline);
  const of = (pattern: RegExp): number => drawn.match(pattern)?.length ?? 0;
  const signs = ['open', 'query', 'close', 'discard', 'error', 'foreign'];
  return Object.fromEntries([
    ...signs.map((sign) => [sign, of(new RegExp(`class="sign ${sign}( on-paper)?"`, 'g'))]),
    ['dead', of(/class="dead"/g)],
    ['alive', of(/class="alive"/g)],
    ['requests', of(/class="request( failed)?"/g)],
    ['forks', of(/class="fork"/g)],
  ]);
}

describe('the fault', () => {
  test('each open, query, close and error has its sign, each copy a bar that dies with the first close', () => {
    expect(counts(faultTimeline())).toEqual({
      open: 5,
      query: 14,
      close: 8,
      discard: 0,
      error: 3,
      foreign: 0,
      dead: 4, // the master's and three children's
      alive: 14, // connection 1 at five processes, four more at one each, five backends
      requests: 8,
      forks: 4,
    });
  });

  test('a server that tells of the end a little before its process does tells of the same end', () => {
    const { sessions, ...rest } = faultTimeline();
    const early = {
      ...rest,
      sessions: sessions.map(({ to, ...session }) => ({ ...session, to: to === null ? null : to - 3 })),
    };
    expect(counts(early)).toEqual(counts(faultTimeline()));
    expect(figure(early).match(/class="link/g)).toHaveLength(5);
  });

  test('a sign has the number of its request, in its title what and when', () => {
    const drawn = figure(faultTimeline());
    expect(drawn).toMatch(
      /class="sign close[^"]*"[^>]*>\s*<title>close of connection 1 in request 1, at [\d.]+ ms<\/title>/,
    );
    expect(drawn).toMatch(
      /class="sign error[^"]*"[^>]*>\s*<title>error of connection 1 in request 2, at [\d.]+ ms: OperationalError: server/,
    );
    const numbers = [...drawn.matchAll(/class="sign close[^"]*".*?<text[^>]*>(\d+)<\/text>/gs)].map(([, number]) =>
      Number(number),
    );
    expect(numbers.toSorted((one, other) => one - other)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('what happened is told', () => {
    expect(told(faultTimeline())).toBe(
      'Connection 1 was open at the fork: 4 children began with a copy. ' +
        'Request 1 was answered by child 4711; its request_finished closed connection 1, which the master and children 4712, 4713 and 4714 still held. ' +
        'Requests 2, 4 and 6 met an error in children 4712, 4713 and 4714: “OperationalError: server closed the connection unexpectedly”. ' +
        'The first 8 of 100 requests.',
    );
  });
});

describe('the fixes', () => {
  test('a discard leaves the session alone', () => {
    expect(counts(discardTimeline())).toMatchObject({ discard: 4, error: 0, dead: 0 });
    expect(told(discardTimeline())).toContain(
      'Children 4711, 4712, 4713 and 4714 discarded their copies of connection 1: nothing was sent, and its session lived on. No error in the 6 requests, for which 6 connections were opened.',
    );
  });

  test('request_started closes before anything is asked', () => {
    expect(counts(startedTimeline())).toMatchObject({ close: 9, error: 0, dead: 4 });
    expect(told(startedTimeline())).toContain(
      'In request 1 child 4711 closed its copy of connection 1 before anything was asked on it, which the master and children 4712, 4713 and 4714 still held. No error in the 5 requests, for which 5 connections were opened.',
    );
  });

  test('pgbouncer has a lane of its own: its client ends, the backend stays', () => {
    const drawn = figure(pooledTimeline());
    expect(drawn).toContain('client at port 4801, the other end of connection 1');
    expect(drawn).toContain('<title>backend 4801</title>');
    expect(counts(pooledTimeline())).toMatchObject({ foreign: 1, close: 1, error: 1 });
    expect(told(pooledTimeline())).toContain('Child 4712 read answers to somebody else’s query, once.');
  });
});

test('a refusal is told as one', () => {
  const timeline = new TimelineBuilder();
  timeline.open(MASTER, null);
  const { processes, ...rest } = timeline.build();
  const result = {
    timeline: { ...rest, processes: processes.slice(0, 1) },
    refused: 'connections are open',
    requests: 0,
  };
  const page = reportHtml(labResult([cellResult({ cell: { fix: 'guard' }, result })]));
  expect(page).toContain('<p class="mark">⊘ refuses to start</p>');
  expect(page).toContain('Connection 1 was open when it was to fork. It ended instead, and nobody had a copy.');
});

describe('the drawing', () => {
  test('the failing run comes first', () => {
    const ids = [...reportHtml(wholeRun()).matchAll(/<h3>[^<]*<code>([^<]*)<\/code>/g)].map(([, id]) => id);
    expect(ids).toEqual([
      'fork/none/w4/m0',
      'fork/started/w4/m0',
      'fork/pgbouncer-lenient/w4/m0',
      'fork/postfork/w4/m0',
    ]);
  });

  test('each picture has a title and a description of its own', () => {
    const drawn = figures([faultTimeline(), startedTimeline()]);
    drawn.forEach((svg, index) => {
      const id = `picture-${index + 1}`;
      expect(svg).toContain(`aria-labelledby="${id}-title ${id}-desc"`);
      expect(svg).toContain(`<title id="${id}-title">fork, no fix, 4 workers, max-requests 0</title>`);
      expect(svg).toContain(`<desc id="${id}-desc">Connection 1 was open at the fork`);
    });
    expect(drawn).toHaveLength(2);
  });

  test('half a second of boot takes no more room than a step', () => {
    const slow = faultTimeline();
    const widths = [slow, { ...slow, events: slow.events.map((event) => ({ ...event, at: event.at + 60_000 })) }].map(
      (timeline) => /<svg[^>]* width="(\d+)/.exec(figure(timeline))?.[1],
    );
    expect(widths[0]).toBe(widths[1]);
    expect(Number(widths[0])).toBeLessThan(1200);
  });

  test('a process that ended holds nothing any more', () => {
    const timeline = new TimelineBuilder();
    timeline.open(MASTER, null, CHILDREN);
    const built = timeline.fork().event(MASTER, 'query', 1).build();
    const lengths = (given: Timeline): number[] =>
      [...figure(given).matchAll(/class="alive" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)].map(
        ([, x, width]) => Number(x) + Number(width),
      );
    const forked = built.events.findLast(({ what }) => what === 'fork')?.at ?? 0;
    const processes = built.processes.map((process) =>
      process.pid === CHILDREN[0] ? { ...process, to: forked + 60 } : process,
    );
    const [, before = 0] = lengths(built);
    const [, after = 0] = lengths({ ...built, processes });
    expect(after).toBeLessThan(before);
  });

  test('a picture of nothing is an empty one', () => {
    const drawn = figure({ processes: [], connections: [], sessions: [], events: [], shown: 0 });
    expect(drawn).toContain('<svg');
    expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
  });
});
