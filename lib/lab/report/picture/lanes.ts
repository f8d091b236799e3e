// The lanes of a picture, from top to bottom, with everything's place in px: processes first, then the servers.

import type { Timeline, TimelineEvent, TimelineProcess, TimelineSession } from '../../result.ts';
import type { Axis } from './axis.ts';
import { connectionOf, deathOf, holdsOf, type Hold, type Moment } from './holds.ts';
import { inRows } from './rows.ts';

export const BAR = 15; // px
const ROW = 20; // px
const HEAD = 17; // px, for the numbers of requests
const PADDING = 5; // px
const TWO_LINES = 38; // px, of a server's name
const SHORTEST = 8; // px, of a bar

export interface Bar {
  readonly connection: number | null;
  readonly from: number;
  readonly to: number;
  /** Where its session ended while the bar goes on; `to` where it did not. */
  readonly dead: number;
  readonly middle: number;
  readonly title: string;
}

export interface Band {
  readonly request: number;
  readonly from: number;
  readonly to: number;
  readonly failed: boolean;
}

export interface Mark {
  readonly event: TimelineEvent;
  readonly x: number;
  readonly y: number;
  /** Its connection's session is gone there. */
  readonly dead: boolean;
}

export interface Lane {
  readonly name: string;
  readonly detail: string;
  /** A process's, `null` of a server. */
  readonly pid: number | null;
  readonly top: number;
  readonly height: number;
  /** px: where it begins and ends to be. */
  readonly from: number;
  readonly to: number;
  readonly bars: readonly Bar[];
  readonly bands: readonly Band[];
  readonly marks: readonly Mark[];
}

export function lanesOf(timeline: Timeline, axis: Axis, top: number): readonly Lane[] {
  const lanes: Lane[] = [];
  const next = (): number => top + lanes.reduce((sum, { height }) => sum + height, 0);
  const x = (moment: Moment): number => (typeof moment === 'number' ? axis.at(moment) : axis.ofEvent(moment));
  const holds = holdsOf(timeline);
  for (const process of timeline.processes) {
    lanes.push(
      processLane(
        timeline,
        process,
        holds.filter(({ pid }) => pid === process.pid),
        axis,
        x,
        next(),
      ),
    );
  }
  for (const server of ['pgbouncer', 'postgresql'] as const) {
    const sessions = timeline.sessions.filter((session) => session.server === server && session.from <= axis.to);
    if (sessions.length > 0) lanes.push(serverLane(timeline, server, sessions, axis, x, next()));
  }
  return lanes;
}

/** `master` and `child`; `worker` where nobody is the master, `process` where there is only one. */
export function roleOf({ processes }: Timeline, { role }: TimelineProcess): string {
  if (processes.length === 1) return 'process';
  if (role === 'master') return 'master';
  return processes.some((process) => process.role === 'master') ? 'child' : 'worker';
}

function processLane(
  timeline: Timeline,
  process: TimelineProcess,
  holds: readonly Hold[],
  axis: Axis,
  x: (moment: Moment) => number,
  top: number,
): Lane {
  const end = process.to === undefined ? axis.width : axis.at(process.to);
  const own = timeline.events.filter(({ pid }) => pid === process.pid);
  const born = own.find(({ what }) => what === 'fork');
  const spans = holds.map(({ from, to }) => {
    const left = x(from);
    return { from: left, to: Math.max(to === null ? axis.width : x(to), left + SHORTEST) };
  });
  const rows = inRows(spans);
  const middleOf = (index: number): number => top + HEAD + (rows[index] ?? 0) * ROW + ROW / 2;
  const bars = holds.map((hold, index): Bar => {
    const { from, to } = spans[index] ?? { from: 0, to: 0 };
    const connection = timeline.connections.find(({ id }) => id === hold.connection);
    const death = connection === undefined ? null : deathOf(timeline, connection);
    const dead = death === null ? to : Math.min(Math.max(x(death), from), to);
    const title = `Connection ${hold.connection}, ${hold.inherited ? 'a copy' : 'its own'}${dead < to ? '; its session is gone' : ''}`;
    return { connection: hold.connection, from, to, dead, middle: middleOf(index), title };
  });
  const marks = own
    .filter(({ what }) => what !== 'begin' && what !== 'end' && what !== 'fork')
    .map((event): Mark => {
      const index = holds.findIndex(({ connection }) => connection === event.connection);
      return { event, x: x(event), y: middleOf(index), dead: x(event) >= (bars[index]?.dead ?? Infinity) };
    });
  return {
    name: `${roleOf(timeline, process)} ${process.pid}`,
    detail: '',
    pid: process.pid,
    top,
    height: heightOf(rows),
    from: x(born ?? process.from),
    to: end,
    bars,
    bands: bandsOf(own, x, end),
    marks,
  };
}

function heightOf(rows: readonly number[]): number {
  return HEAD + (Math.max(0, ...rows) + 1) * ROW + PADDING;
}

/** A request without an end goes on to the edge: it hangs, or its worker died. */
function bandsOf(own: readonly TimelineEvent[], x: (moment: Moment) => number, edge: number): readonly Band[] {
  return own
    .filter((event) => event.what === 'begin')
    .map((begin) => {
      const ofIt = own.filter(({ request }) => request === begin.request);
      const end = ofIt.find(({ what }) => what === 'end');
      // What follows the end of its answer, such as the close of request_finished, is still its own.
      const last = end === undefined ? edge : Math.max(...ofIt.map(x)) + 6;
      const failed = ofIt.some(({ what }) => what === 'error');
      return { request: begin.request ?? 0, from: x(begin) - 4, to: last, failed };
    });
}

function serverLane(
  timeline: Timeline,
  server: TimelineSession['server'],
  sessions: readonly TimelineSession[],
  axis: Axis,
  x: (moment: Moment) => number,
  top: number,
): Lane {
  const spans = sessions.map((session) => {
    const connection = connectionOf(timeline, session);
    const death = connection === undefined ? session.to : deathOf(timeline, connection);
    const opened = timeline.events.find(({ what, connection: id }) => what === 'open' && id === connection?.id);
    const from = opened === undefined ? axis.at(session.from) : x(opened);
    return { from, to: Math.max(death === null ? axis.width : x(death), from + SHORTEST) };
  });
  const rows = inRows(spans);
  const bars = sessions.map((session, index): Bar => {
    const { from, to } = spans[index] ?? { from: 0, to: 0 };
    const connection = connectionOf(timeline, session)?.id ?? null;
    const name = server === 'pgbouncer' ? `client at port ${session.id}` : `backend ${session.id}`;
    const title = connection === null ? name : `${name}, the other end of connection ${connection}`;
    return { connection, from, to, dead: to, middle: top + PADDING + (rows[index] ?? 0) * ROW + ROW / 2, title };
  });
  const name = server === 'pgbouncer' ? 'pgbouncer' : 'PostgreSQL';
  const detail = server === 'pgbouncer' ? 'its clients' : 'its backends';
  const height = Math.max(heightOf(rows) - HEAD + PADDING, TWO_LINES);
  return { name, detail, pid: null, top, height, from: 0, to: axis.width, bars, bands: [], marks: [] };
}
