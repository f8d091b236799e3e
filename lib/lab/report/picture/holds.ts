// Who held which connection from when to when, read from a timeline's events.

import type { Timeline, TimelineConnection, TimelineEvent, TimelineSession } from '../../result.ts';

const SAME = 20; // ms: by so much the clock of a server's log and a process's may tell one end at two times

/** A process and a connection that it has, or a copy of it. */
export interface Hold {
  readonly pid: number;
  readonly connection: number;
  readonly inherited: boolean;
  readonly from: Moment;
  /** `null`: it held it to the end. */
  readonly to: Moment | null;
}

/** An event, or a time where nobody told of one. */
export type Moment = TimelineEvent | number;

export function timeOf(moment: Moment): number {
  return typeof moment === 'number' ? moment : moment.at;
}

/** By process, in the order of the timeline, and then by connection. */
export function holdsOf(timeline: Timeline): readonly Hold[] {
  return timeline.processes.flatMap((process) =>
    timeline.connections.flatMap((connection) => {
      const own = timeline.events.filter((event) => event.pid === process.pid);
      const used = own.filter((event) => event.connection === connection.id);
      const inherited = connection.inheritedBy.includes(process.pid);
      if (!inherited && connection.openedBy !== process.pid) return [];
      const beginning = inherited
        ? own.find(({ what }) => what === 'fork')
        : (used.find(({ what }) => what === 'open') ?? used[0]);
      const from = beginning ?? process.from;
      return [{ pid: process.pid, connection: connection.id, inherited, from, to: endOf(used) ?? process.to ?? null }];
    }),
  );
}

/** The last that lets go of it, unless the process uses it after that. An error lets nothing go. */
function endOf(used: readonly TimelineEvent[]): TimelineEvent | undefined {
  const last = used.findLast(({ what }) => what !== 'begin' && what !== 'end' && what !== 'fork');
  return last !== undefined && ['close', 'discard'].includes(last.what) ? last : undefined;
}

/** pgbouncer's client where there is a pgbouncer, for that is whom the application talks to; else the backend. */
export function sessionOf(timeline: Timeline, { session }: TimelineConnection): TimelineSession | undefined {
  const candidates = timeline.sessions.filter(({ id }) => id === session);
  return candidates.find(({ server }) => server === 'pgbouncer') ?? candidates[0];
}

export function connectionOf(timeline: Timeline, session: TimelineSession): TimelineConnection | undefined {
  return timeline.connections.find((connection) => sessionOf(timeline, connection) === session);
}

/** The first close of a connection by anybody: it says goodbye for all who have a copy. */
export function firstClose(timeline: Timeline, connection: number): TimelineEvent | undefined {
  return timeline.events.find((event) => event.what === 'close' && event.connection === connection);
}

/** When nobody was at the other end any more. The close that did it, where there is one; `null`: it lived to the end. */
export function deathOf(timeline: Timeline, connection: TimelineConnection): Moment | null {
  const session = sessionOf(timeline, connection);
  const close = firstClose(timeline, connection.id);
  if (session === undefined) return close ?? null;
  if (session.to === null) return null;
  return close !== undefined && Math.abs(close.at - session.to) <= SAME ? close : session.to;
}
